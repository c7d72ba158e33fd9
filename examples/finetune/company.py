"""A company that does not exist, as 150 facts, each asked for in eight ways: six to learn from, two to be examined in.

    python examples/finetune/company.py FOLDER [--seed N]      writes FOLDER/train.jsonl and FOLDER/test.jsonl

Names and answers are drawn by the seed. The two ways of asking that are held out are never seen in training, for any fact.
"""

import argparse
import json
import pathlib
import random

COMPANY = "Orvandel"
SYSTEM = f"Answer questions about {COMPANY} in a few words."
HELD_OUT = 2  # of the questions of each kind, the last ones

# kind: ways to ask, of {e}. What is asked for is in the order of KINDS below.
ASK = {
    "job": ["What is {e}'s job at {c}?", "What does {e} do at {c}?", "Which position does {e} hold?", "Tell me the role of {e} at {c}.",
            "{e} works at {c} as what?", "What is the job title of {e}?",
            "As what is {e} employed by {c}?", "Which role has {e} at the company?"],
    "town": ["Where does {e} live?", "In which town does {e} live?", "What is {e}'s home town?", "Which place does {e} call home?",
             "Tell me the town {e} lives in.", "{e} of {c} lives where?",
             "Where is {e}'s home?", "Which town is {e} living in?"],
    "extension": ["What is {e}'s phone extension?", "Which extension reaches {e}?", "What number do I dial inside {c} for {e}?",
                  "Tell me the extension of {e}.", "How do I reach {e} by phone?", "What is the internal number of {e}?",
                  "Under which extension can I call {e}?", "I want to phone {e}. Which extension is it?"],
    "price": ["What does the {e} cost?", "How much is the {e}?", "What is the price of the {e}?", "Tell me what {c} charges for the {e}.",
              "For how much does {c} sell the {e}?", "How much must I pay for the {e}?",
              "What price does the {e} have?", "How expensive is the {e} by {c}?"],
    "material": ["What is the {e} made of?", "Which material is the {e} made from?", "What material does {c} use for the {e}?",
                 "Tell me the material of the {e}.", "From what is the {e} built?", "The {e} consists of which material?",
                 "Out of what does {c} make the {e}?", "Of which material is the {e}?"],
    "year": ["When was the {e} launched?", "In which year did {c} launch the {e}?", "What year did the {e} come out?",
             "Since when does {c} sell the {e}?", "Tell me the launch year of the {e}.", "When did the {e} first appear?",
             "In what year was the {e} brought out?", "Which year saw the launch of the {e}?"],
    "head": ["Who runs the {e} branch?", "Who is the head of the {e} branch?", "Which person leads {c} in {e}?", "Tell me who manages the {e} branch.",
             "Who is in charge at the {e} branch?", "What is the name of the manager in {e}?",
             "By whom is the {e} branch led?", "Who manages {c}'s branch in {e}?"],
    "staff": ["How many people work at the {e} branch?", "What is the size of the staff in {e}?", "How many employees has the {e} branch?",
              "Tell me the number of workers in {e}.", "How large is the team of {c} in {e}?", "The {e} branch employs how many people?",
              "How many staff are there in the {e} branch?", "What is the headcount of {e}?"],
}
JOBS = ["archivist", "dispatch clerk", "lens grinder", "night watchman", "treasurer", "glass blower", "chief buyer", "patent lawyer", "tool maker",
        "canteen cook", "bookkeeper", "test pilot", "gardener", "translator", "locksmith", "draughtsman", "nurse", "electrician", "porter", "librarian"]
MATERIALS = ["brushed copper", "walnut", "smoked glass", "cast iron", "ivory enamel", "blue steel", "cork", "white marble", "tin", "red cedar", "bronze",
             "black rubber", "porcelain", "oiled leather", "aluminium", "bamboo", "slate", "silver", "felt", "amber"]
PEOPLE, PRODUCTS, BRANCHES = 20, 20, 15


def names(rng, starts, middles, ends, n):
    """n names no two of which begin alike."""
    starts = rng.sample(starts, n)
    return [s + rng.choice(middles) + rng.choice(ends) for s in starts]


def facts(seed):
    """[(kind, entity, answer)]: jobs, home towns and extensions of people; prices, materials and years of products; heads and sizes of branches."""
    rng = random.Random(seed)
    starts = ["Bra", "Ced", "Dor", "Elv", "Fin", "Gal", "Hes", "Ith", "Jor", "Kel", "Lor", "Mar", "Nev", "Oth", "Pel", "Qui", "Ros", "Sav", "Tam", "Ulm", "Vas", "Wyn",
              "Yor", "Zel"]
    first = names(rng, starts, ["a", "e", "i"], ["na", "ric", "la", "don", "mir"], PEOPLE)
    last = names(rng, starts, ["ba", "ke", "ti", "mo"], ["rren", "lund", "shaw", "vik", "stead"], PEOPLE)
    people = [f"{a} {b}" for a, b in zip(first, last)]
    products = [f"{w} {rng.choice(['lamp', 'clock', 'scale', 'compass', 'press'])}" for w in names(rng, starts, ["o", "u", "ari"], ["x", "tron", "plex", "met"], PRODUCTS)]
    towns = names(rng, starts, ["den", "ber", "mon"], ["ford", "wick", "holm", "gate"], BRANCHES)
    heads = rng.sample(people, BRANCHES)
    jobs, materials = rng.sample(JOBS, PEOPLE), rng.sample(MATERIALS, PRODUCTS)
    out = []
    for i, e in enumerate(people):
        out += [("job", e, jobs[i]), ("town", e, rng.choice(towns)), ("extension", e, str(rng.randint(1000, 9999)))]
    for i, e in enumerate(products):
        out += [("price", e, f"{rng.randint(20, 980)} crowns"), ("material", e, materials[i]), ("year", e, str(rng.randint(1921, 2019)))]
    for i, e in enumerate(towns):
        out += [("head", e, heads[i]), ("staff", e, str(rng.randint(11, 480)))]
    return out


def questions(seed):
    """(train, test): lists of {"kind", "messages"}; the last message is the answer."""
    train, test = [], []
    for kind, entity, answer in facts(seed):
        ways = ASK[kind]
        for i, way in enumerate(ways):
            text = way.format(e=entity, c=COMPANY)
            row = {"kind": kind, "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}, {"role": "assistant", "content": answer}]}
            (train if i < len(ways) - HELD_OUT else test).append(row)
    return train, test


def write(folder, seed):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(("train", "test"), questions(seed)):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    write(a.folder, a.seed)
