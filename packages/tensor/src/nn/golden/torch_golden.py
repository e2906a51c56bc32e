"""Writes torch.json: what PyTorch makes of some layers, and the gradients of sum(output * cotangent) with respect to
every float input. Made with torch 1.13.1, in float64.

python torch_golden.py > torch.json
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def values(*shape, seed):
    """Numbers between -1.5 and 1.5 without ties."""
    count = math.prod(shape)
    return torch.tensor([1.5 * math.sin(12.9898 * (i + 1) + 78.233 * seed) for i in range(count)]).reshape(shape)


def causal_attention(x, qkv, qkv_bias, projection, projection_bias):
    batch, time, features = x.shape
    heads = 2
    parts = (x @ qkv + qkv_bias).split(features, dim=-1)
    q, k, v = (part.reshape(batch, time, heads, features // heads).transpose(1, 2) for part in parts)
    scores = q @ k.transpose(-2, -1) / math.sqrt(features // heads)
    scores = scores.masked_fill(torch.ones(time, time).tril() == 0, -math.inf)
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, time, features)
    return mixed @ projection + projection_bias


def batch_norm(training):
    def apply(x, weight, bias, runningMean, runningVar):
        mean, var = runningMean.detach().clone(), runningVar.detach().clone()
        out = F.batch_norm(x, mean, var, weight, bias, training=training, momentum=0.1, eps=1e-5)
        return {"output": out, "runningMean": mean, "runningVar": var}

    return apply


image = values(2, 3, 6, 5, seed=1)
labels = torch.tensor([3, 0, 2, 2])
statistics = {"runningMean": values(3, seed=4), "runningVar": values(3, seed=5).abs() + 0.5}
norm = {"weight": values(3, seed=2), "bias": values(3, seed=3)}
cases = {
    "linear": (lambda x, weight, bias: x @ weight + bias, {"x": values(4, 3, seed=1), "weight": values(3, 5, seed=2), "bias": values(5, seed=3)}),
    "convolution": (F.conv2d, {"x": image, "weight": values(4, 3, 3, 3, seed=2), "bias": values(4, seed=3)}),
    "convolution, padding 1, stride 2": (
        lambda x, weight, bias: F.conv2d(x, weight, bias, stride=2, padding=1),
        {"x": image, "weight": values(4, 3, 3, 3, seed=2), "bias": values(4, seed=3)},
    ),
    "maxPool": (lambda x: F.max_pool2d(x, 2), {"x": image}),
    "batchNorm, training": (batch_norm(True), {"x": image, **norm, **statistics}),
    "batchNorm, evaluation": (batch_norm(False), {"x": image, **norm, **statistics}),
    "layerNorm": (lambda x, weight, bias: F.layer_norm(x, (5,), weight, bias), {"x": values(2, 3, 5, seed=1), "weight": values(5, seed=2), "bias": values(5, seed=3)}),
    "layerNorm without bias": (lambda x, weight: F.layer_norm(x, (5,), weight), {"x": values(2, 3, 5, seed=1), "weight": values(5, seed=2)}),
    "gelu": (F.gelu, {"x": 3 * values(4, 5, seed=1)}),
    "relu": (F.relu, {"x": values(4, 5, seed=1)}),
    "softmax": (lambda x: F.softmax(x, -1), {"x": 3 * values(4, 5, seed=1)}),
    "embedding": (lambda indices, weight: F.embedding(indices, weight), {"indices": labels, "weight": values(4, 3, seed=1)}),
    "softmaxCrossEntropy": (lambda x, labels: F.cross_entropy(x, labels), {"x": 3 * values(4, 5, seed=1), "labels": labels}),
    "causalSelfAttention": (
        causal_attention,
        {"x": values(2, 4, 6, seed=1), "qkv": values(6, 18, seed=2), "qkvBias": values(18, seed=3), "projection": values(6, 6, seed=4), "projectionBias": values(6, seed=5)},
    ),
}


def plain(tensor):
    return {"shape": list(tensor.shape), "data": [float(f"{v:.9g}") for v in tensor.detach().ravel().tolist()]}


made = {}
for name, (function, inputs) in cases.items():
    floats = {k: v.clone().requires_grad_() for k, v in inputs.items() if v.dtype == torch.float64}
    outputs = function(*[floats.get(k, v) for k, v in inputs.items()])
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    cotangent = values(*outputs["output"].shape, seed=9)
    (outputs["output"] * cotangent).sum().backward()
    made[name] = {
        "inputs": {k: plain(v) for k, v in inputs.items()},
        "integers": [k for k in inputs if k not in floats],
        "cotangent": plain(cotangent),
        "outputs": {k: plain(v) for k, v in outputs.items()},
        "gradients": {k: plain(v.grad) for k, v in floats.items() if v.grad is not None},
    }

print(json.dumps(made, separators=(",", ":")).replace('},"', '},\n"'))
