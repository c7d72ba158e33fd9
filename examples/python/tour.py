# %% [markdown]
# # Loquor in a notebook
# Run cell by cell in an editor that knows `# %%`, or as a script.

# %%
import loquor

model = loquor.Model("smollm2")
print(model.info(n_ctx=2048))

# %% Text for a question, streamed
for piece in model.generate("Explain rain to a child.", max_tokens=60, temperature=0.4, seed=1, stream=True):
    print(piece, end="", flush=True)
print()

# %% A conversation; only what is new is computed
chat = loquor.Chat(model, system="You answer in one sentence.", max_tokens=40, seed=2)
print(chat.say("My dog is called Rex."))
print(chat.say("What is my dog called?"))
print("reused from the cache:", chat.session.result().reused_tokens, "tokens")

# %% What the model thinks comes next
session = model.session(ctx=256)
session.eval(model.tokenize("The capital of France is"))
logits = session.logits
for token in logits.argsort()[::-1][:5]:
    print(f"{logits[token]:6.2f}  {model.token_text(int(token))}")

# %% Two ways to go on from the same text: a fork shares the cache
for seed in (1, 2):
    with session.fork() as branch:
        branch.start(model.tokenize(" a city that"), append=True, max_tokens=16, sampler=loquor.Sampler(seed).add("top_k", 40).add("temperature", 0.9))
        print("".join(e.text for e in branch.events()))

# %% Your own sampling stage: no letter e
import numpy as np

has_e = np.array([b"e" in model.detokenize([t], special=True).lower() for t in range(model.n_vocab)])


def no_e(tokens, logits, history):
    logits[has_e[tokens]] = -np.inf


print(model.generate("Say something about a cat.", max_tokens=30, sampler=loquor.Sampler(3).add(no_e).add("top_k", 20).add("temperature", 0.7)))
model.close()
