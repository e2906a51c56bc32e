"""Writes torch.json: loss and gradients of the model zoo in evaluation mode, as PyTorch computes them from parameters
and inputs that a formula makes. A gradient is told by its norm and by its product with another such vector. Made with
torch 1.13.1, in float64.

python torch_golden.py > torch.json
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def wave(*shape, seed, scale=1.0):
    index = torch.arange(1, math.prod(shape) + 1).to(torch.float64)
    return (scale * torch.sin(12.9898 * index + seed)).reshape(shape)


def dense(inputs, outputs):
    return {"weight": (inputs, outputs), "bias": (outputs,)}


def conv(inputs, outputs):
    return {"weight": (outputs, inputs, 3, 3), "bias": (outputs,)}


def norm(features):
    return {"weight": (features,), "bias": (features,)}


def block(c):
    return {
        "attentionNorm": norm(c),
        "attention": {"qkv": dense(c, 3 * c), "projection": dense(c, c)},
        "mlpNorm": norm(c),
        "mlp": {"expansion": dense(c, 4 * c), "projection": dense(4 * c, c)},
    }


def linear(p, x):
    return x @ p["weight"] + p["bias"]


def mlp(p, x):
    return linear(p["output"], F.relu(linear(p["hidden"], x.reshape(len(x), 784))))


def small_cnn(p, x):
    for name in ("convolution1", "convolution2"):
        x = F.relu(F.conv2d(x, p[name]["weight"], p[name]["bias"]))
    x = F.max_pool2d(x, 2).reshape(len(x), 9216)
    return linear(p["output"], F.relu(linear(p["hidden"], x)))


def cnn(p, x):
    for i in range(4):
        layer = p["layers"][str(i)]
        x = F.conv2d(x, layer["convolution"]["weight"], layer["convolution"]["bias"], padding=1)
        channels = x.shape[1]
        x = F.batch_norm(x, torch.zeros(channels), torch.ones(channels), layer["norm"]["weight"], layer["norm"]["bias"])
        x = F.relu(x)
        if i % 2 == 1:
            x = F.max_pool2d(x, 2)
    return linear(p["output"], F.relu(linear(p["hidden"], x.reshape(len(x), 6272))))


def gpt(p, x):
    def layer_norm(q, h):
        return F.layer_norm(h, (h.shape[-1],), q["weight"], q["bias"])

    batch, time = x.shape
    h = p["tokens"]["weight"][x] + p["positions"]["weight"]
    features = h.shape[-1]
    for q in (p["blocks"]["0"], p["blocks"]["1"]):
        parts = linear(q["attention"]["qkv"], layer_norm(q["attentionNorm"], h)).split(features, dim=-1)
        query, key, value = (part.view(batch, time, 2, features // 2).transpose(1, 2) for part in parts)
        scores = query @ key.transpose(-2, -1) / math.sqrt(features // 2)
        weights = scores.masked_fill(torch.ones(time, time).tril() == 0, -math.inf).softmax(-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, time, features)
        h = h + linear(q["attention"]["projection"], mixed)
        h = h + linear(q["mlp"]["projection"], F.gelu(linear(q["mlp"]["expansion"], layer_norm(q["mlpNorm"], h))))
    return layer_norm(p["norm"], h) @ p["tokens"]["weight"].T


images = wave(2, 1, 28, 28, seed=0.5)
classes = torch.tensor([3, 8])
tokens = torch.tensor([[0, 3, 6, 2, 1], [5, 5, 4, 0, 2]])
following = torch.tensor([[3, 6, 2, 1, 4], [5, 4, 0, 2, 6]])
ends = {"hidden": dense(784, 256), "output": dense(256, 10)}
models = {
    "mlp": (mlp, ends, images, classes),
    "smallCnn": (
        small_cnn,
        {"convolution1": conv(1, 32), "convolution2": conv(32, 64), "hidden": dense(9216, 128), "output": dense(128, 10)},
        images,
        classes,
    ),
    "cnn": (
        cnn,
        {
            "layers": {
                str(i): {"convolution": conv(a, b), "norm": norm(b)}
                for i, (a, b) in enumerate([(1, 64), (64, 64), (64, 128), (128, 128)])
            },
            "hidden": dense(6272, 256),
            "output": dense(256, 10),
        },
        images,
        classes,
    ),
    "gpt": (
        gpt,
        {
            "tokens": {"weight": (7, 8)},
            "positions": {"weight": (5, 8)},
            "blocks": {"0": block(8), "1": block(8)},
            "norm": norm(8),
        },
        tokens,
        following,
    ),
}


def leaves(tree, path=""):
    for name, branch in tree.items():
        below = f"{path}.{name}" if path else name
        if isinstance(branch, dict):
            yield from leaves(branch, below)
        else:
            yield below, branch


def build(tree, flat, path=""):
    return {
        name: build(branch, flat, f"{path}{name}.") if isinstance(branch, dict) else flat[path + name]
        for name, branch in tree.items()
    }


made = {}
for name, (apply, tree, x, y) in models.items():
    flat = {
        path: wave(*shape, seed=i, scale=2 / math.sqrt(math.prod(shape[:-1]) if len(shape) < 4 else 9 * shape[1])).requires_grad_()
        for i, (path, shape) in enumerate(leaves(tree))
    }
    logits = apply(build(tree, flat), x)
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
    loss.backward()
    made[name] = {
        "loss": loss.item(),
        "gradients": {
            path: [p.grad.norm().item(), (p.grad * wave(*p.shape, seed=0.25)).sum().item()] for path, p in flat.items()
        },
    }

print(json.dumps(made, indent=1))
