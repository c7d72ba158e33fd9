#!/usr/bin/env python3
"""Writes nn.safetensors: inputs, parameters, outputs and gradients of small torch modules, for tests/nn/test_layers.cpp.

    python tests/goldens/make_nn_goldens.py        needs torch and safetensors; the file's metadata names their versions

Tensors of case C: C/x, C/y (output), C/t (target of the loss), C/dx, C/loss, C/p/NAME, C/g/NAME. The metadata holds each
case's description in Loquor's words.
"""

import pathlib

import safetensors
import torch
from safetensors.torch import save_file
from torch import nn

torch.manual_seed(5)
tensors, metadata = {}, {"torch": torch.__version__.split("+")[0], "safetensors": safetensors.__version__}


def put(case, **values):
    for name, value in values.items():
        tensors[f"{case}/{name.replace('__', '/')}"] = value.detach().clone().contiguous()


class First(nn.Module):
    """A recurrent module's outputs alone; its parameters keep the names of a Sequential."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Causal(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        n = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(n)
        return self.inner(x, mask=mask, is_causal=True)


def finish(case, module, y, loss, x=None):
    loss.backward()
    put(case, y=y, loss=loss)
    if x is not None:
        put(case, dx=x.grad)
    for name, p in module.named_parameters():
        name = name.replace("inner.", "")
        tensors[f"{case}/p/{name}"] = p.detach().clone().contiguous()
        tensors[f"{case}/g/{name}"] = p.grad.clone().contiguous()


def regression(case, text, module, shape):
    metadata[case] = text
    module.train()
    x = torch.randn(shape, requires_grad=True)
    y = module(x)
    t = torch.randn_like(y)
    put(case, x=x, t=t)
    finish(case, module, y, nn.functional.mse_loss(y, t), x)


def encoder(layers, **options):
    layer = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True, **options)
    module = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    for p in module.parameters():  # copies of one layer are equal otherwise, and biases are 0
        nn.init.normal_(p, std=0.3) if p.dim() > 1 else nn.init.uniform_(p, 0.2, 0.9)
    return module


for name, act in (("relu", nn.ReLU()), ("tanh", nn.Tanh()), ("sigmoid", nn.Sigmoid()), ("gelu", nn.GELU()),
                  ("gelu_tanh", nn.GELU(approximate="tanh")), ("silu", nn.SiLU())):
    regression(f"mlp_{name}", f"linear 5 19 | {name} | linear 19 3", nn.Sequential(nn.Linear(5, 19), act, nn.Linear(19, 3)), (7, 5))
for name, norm in (("layer_norm", nn.LayerNorm(19)), ("rms_norm", nn.RMSNorm(19, eps=1e-5))):
    for p in norm.parameters():
        nn.init.uniform_(p, 0.5, 1.5)
    regression(name, f"{name} 19", nn.Sequential(norm), (4, 3, 19))
regression("rnn", "rnn 6 9 layers=2", nn.Sequential(First(nn.RNN(6, 9, 2, batch_first=True))), (3, 5, 6))
regression("lstm", "lstm 6 18 layers=2", nn.Sequential(First(nn.LSTM(6, 18, 2, batch_first=True))), (3, 5, 6))
regression("gru", "gru 6 18 layers=2", nn.Sequential(First(nn.GRU(6, 18, 2, batch_first=True))), (3, 5, 6))
regression("encoder", "transformer 16 heads=2 ff=24 layers=2", nn.Sequential(encoder(2)), (2, 7, 16))
regression("blocks", "transformer 16 heads=2 ff=24 layers=2 causal pre_norm gelu",
           nn.Sequential(Causal(encoder(2, norm_first=True, activation="gelu"))), (2, 7, 16))

# Class ids, one of them ignored; a table of embeddings with repeated ids.
module = nn.Sequential(nn.Embedding(11, 8), nn.Linear(8, 13))
x, t = torch.randint(0, 11, (2, 6)), torch.randint(0, 13, (2, 6))
t[0, 2] = -100
y = module(x)
metadata["classes"] = "embedding 11 8 | linear 8 13"
put("classes", x=x.int(), t=t.int())
finish("classes", module, y, nn.functional.cross_entropy(y.flatten(0, 1), t.flatten()))

# Padded sequences.
module = nn.TransformerEncoderLayer(16, 4, 20, dropout=0.0, batch_first=True)
x, lengths = torch.randn(3, 6, 16, requires_grad=True), torch.tensor([6, 2, 5])
y = module(x, src_key_padding_mask=torch.arange(6)[None] >= lengths[:, None])
t = torch.randn_like(y)
put("padded", x=x, t=t, lengths=lengths.int())
finish("padded", module, y, nn.functional.mse_loss(y, t), x)

# A decoder layer over a memory of another length.
module = nn.TransformerDecoderLayer(16, 2, 20, dropout=0.0, batch_first=True)
x, memory = torch.randn(2, 5, 16, requires_grad=True), torch.randn(2, 8, 16, requires_grad=True)
y = module(x, memory, tgt_mask=nn.Transformer.generate_square_subsequent_mask(5))
t = torch.randn_like(y)
put("decoder", x=x, t=t, memory=memory)
finish("decoder", module, y, nn.functional.mse_loss(y, t), x)
put("decoder", dmemory=memory.grad)

# States in and out.
for case, module in (("lstm_state", nn.LSTM(5, 7, batch_first=True)), ("gru_state", nn.GRU(5, 7, batch_first=True))):
    x, h0 = torch.randn(2, 4, 5, requires_grad=True), torch.randn(1, 2, 7, requires_grad=True)
    c0 = torch.randn(1, 2, 7, requires_grad=True)
    lstm = case == "lstm_state"
    y, state = module(x, (h0, c0) if lstm else h0)
    h, c = state if lstm else (state, state)
    t = torch.randn(2, 7)
    put(case, x=x, t=t, h0=h0[0], c0=c0[0], h=h[0], c=c[0])
    finish(case, module, y, nn.functional.mse_loss(c[0], t), x)
    put(case, dh0=h0.grad[0], **({"dc0": c0.grad[0]} if lstm else {}))

save_file(tensors, pathlib.Path(__file__).with_name("nn.safetensors"), metadata)
