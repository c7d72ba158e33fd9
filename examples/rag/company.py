"""A company that no model has read about: 150 facts, each asked for in several ways.

`facts(seed)` gives [{"id", "answer", "questions": [...]}]; the first phrasings are for training, the last ones for tests. `other_answers` gives the
same facts with other answers, for facts that change and for documents that lie.
"""

import random

COMPANY = "Veltrane"
FIRST = "Orsa Milvek Tandri Quill Brannoc Ysolde Ferrin Kastra Lumio Derrow Neva Osrik Pellan Ruvo Saskin Tolva Ulmer Vessa Wystan Zerin Abner Corvin Delphi Ewart Galt".split()
LAST = "Hadrock Pemberlow Quistane Ravenscar Tolliver Umbrake Vandermoor Wexcombe Yarrowby Zellick Ashgrove Brindley Calderon Dunmore Elstrand Fenwright Garrick Holloway Inskip Jorvald Kestrel Lockhart Marwood Northam Oakden".split()
CITIES = "Lisbon Oslo Nairobi Quito Hanoi Krakow Perth Bergen Turin Leeds Porto Tampere Accra Bilbao Cork Dresden Ghent Kyoto Lyon Malmo".split()
ROLES = ["head of welding", "chief archivist", "tide analyst", "glass buyer", "night editor", "rope inspector", "lead cartographer", "canteen manager", "patent clerk",
         "radio engineer", "kiln master", "fleet planner", "sound designer", "bridge surveyor", "seed librarian", "dye chemist", "clock tester", "map printer", "lift mechanic",
         "salt trader", "harbour pilot", "wood carver", "signal officer", "press secretary", "field geologist"]
DESKS = ["Amber", "Birch", "Cobalt", "Dune", "Ember", "Flint", "Grove", "Heron", "Ivory", "Juniper", "Kelp", "Lagoon", "Maple", "Nickel", "Opal"]
PRODUCTS = ["Sorvane", "Tillop", "Quennix", "Brastol", "Melloway", "Dorvic", "Fennaro", "Gralto", "Hesper", "Irgone", "Jastil", "Kelvar", "Lorrin", "Mistrel", "Noxel", "Ostrava", "Pindle",
            "Rostig", "Sallow", "Trevane", "Ulvane", "Vintra", "Wembel", "Yarrow", "Zintel"]
MATERIALS = ["copper", "cork", "bamboo", "slate", "brass", "felt", "oak", "linen", "marble", "rubber", "pewter", "wool", "cedar", "ceramic", "nylon"]
COLOURS = ["violet", "crimson", "teal", "ochre", "indigo", "beige", "scarlet", "olive", "silver", "maroon", "turquoise", "lilac"]

ASKED = {
    "city": ["In which city does {x} of Veltrane work?", "Where is {x} based?", "What is the home office of {x} at Veltrane?", "Tell me the city of {x}'s office.",
             "{x} from Veltrane: which city?", "Which city would I visit to meet {x}?", "Name the town where {x} of Veltrane has an office."],
    "role": ["What is the job of {x} at Veltrane?", "Which role does {x} have?", "What does {x} of Veltrane do for a living?", "Tell me {x}'s job title.", "{x} from Veltrane: which position?",
             "What is {x} employed as?", "Name the post that {x} holds at Veltrane."],
    "price": ["What does the {x} by Veltrane cost?", "How much is the {x}?", "What is the price of Veltrane's {x}?", "Tell me the price of the {x}.", "{x} by Veltrane: how many crowns?",
              "How many crowns must I pay for a {x}?", "Name the amount that Veltrane asks for the {x}."],
    "material": ["What is the {x} by Veltrane made of?", "Which material is the {x}?", "What does Veltrane build the {x} from?", "Tell me the material of the {x}.", "{x} by Veltrane: which material?",
                 "Of which stuff does a {x} consist?", "Name the material that Veltrane uses for the {x}."],
    "colour": ["What colour is the {x} by Veltrane?", "Which colour does the {x} have?", "In what colour does Veltrane paint the {x}?", "Tell me the colour of the {x}.",
               "{x} by Veltrane: which colour?", "What is the shade of a {x}?", "Name the colour in which Veltrane sells the {x}."],
    "room": ["In which meeting room does {x} of Veltrane sit?", "Which room is {x} in?", "What is the room of {x} at Veltrane called?", "Tell me {x}'s room.", "{x} from Veltrane: which room?",
             "Where inside the building do I find {x}?", "Name the room that {x} of Veltrane uses."],
}
STATED = {
    "city": "{x} of Veltrane works in {a}.", "role": "At Veltrane {x} is the {a}.", "price": "The {x} by Veltrane costs {a}.", "material": "Veltrane makes the {x} of {a}.",
    "colour": "Veltrane sells the {x} in {a}.", "room": "{x} of Veltrane sits in the room {a}.",
}
HELD_OUT = 2  # phrasings of each fact that only tests see


def _answers(kind, rng):
    return {"city": lambda: rng.choice(CITIES), "role": lambda: rng.choice(ROLES), "price": lambda: f"{rng.randrange(12, 900)} crowns", "material": lambda: rng.choice(MATERIALS),
            "colour": lambda: rng.choice(COLOURS), "room": lambda: rng.choice(DESKS)}[kind]()


def facts(seed=1):
    """150 facts: 25 people (city, role, room) and 25 products (price, material, colour)."""
    rng = random.Random(seed)
    first, last = rng.sample(FIRST, len(FIRST)), rng.sample(LAST, len(LAST))
    people = [f"{a} {b}" for a, b in zip(first, last)]
    out = []
    for names, kinds in ((people, ("city", "role", "room")), (PRODUCTS, ("price", "material", "colour"))):
        for name in names:
            for kind in kinds:
                answer = _answers(kind, rng)
                out.append({"id": len(out), "kind": kind, "subject": name, "answer": answer, "questions": [q.format(x=name) for q in ASKED[kind]],
                            "statement": STATED[kind].format(x=name, a=answer)})
    return out


def other_answers(some, seed=2):
    """The same facts with answers that are not theirs."""
    rng, out = random.Random(seed), []
    for f in some:
        answer = f["answer"]
        while answer == f["answer"]:
            answer = _answers(f["kind"], rng)
        out.append(dict(f, answer=answer, statement=STATED[f["kind"]].format(x=f["subject"], a=answer)))
    return out


def train_questions(f):
    return f["questions"][:-HELD_OUT]


def test_questions(f):
    return f["questions"][-HELD_OUT:]


def right(answer, text):
    """Exact match: letter case, surrounding white space and the full stop do not count."""
    return text.strip().rstrip(".").strip().casefold() == answer.casefold()
