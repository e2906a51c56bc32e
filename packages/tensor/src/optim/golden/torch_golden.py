"""Writes torch.json: what PyTorch makes of a few optimizers, in float64. Made with torch 1.13.1.

python torch_golden.py > torch.json
"""

import json
import math

import torch

torch.set_default_dtype(torch.float64)

STEPS = 6
initial = [math.sin(i + 1) for i in range(7)]
gradients = [[(t + 1) * math.cos(3 * (7 * t + i) + 1) for i in range(7)] for t in range(STEPS)]


def run(make_optimizer, max_norm=None):
    matrix = torch.tensor(initial[:4]).reshape(2, 2).requires_grad_()
    vector = torch.tensor(initial[4:]).requires_grad_()
    optimizer = make_optimizer(matrix, vector)
    after = []
    for gradient in gradients:
        matrix.grad = torch.tensor(gradient[:4]).reshape(2, 2)
        vector.grad = torch.tensor(gradient[4:])
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_([matrix, vector], max_norm)
        optimizer.step()
        after.append(matrix.detach().ravel().tolist() + vector.detach().tolist())
    return after


def sgd(**options):
    return lambda *parameters: torch.optim.SGD(parameters, **options)


def groups(matrix, vector):
    return [{"params": [matrix], "weight_decay": 0.1}, {"params": [vector], "weight_decay": 0.0}]


parameters_after = {
    "sgd": run(sgd(lr=0.1)),
    "sgd with decay": run(sgd(lr=0.1, weight_decay=0.1)),
    "momentum with decay": run(sgd(lr=0.1, momentum=0.9, weight_decay=0.1)),
    "nesterov with decay": run(sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)),
    "adam": run(lambda *p: torch.optim.Adam(p)),
    "adam with decay": run(lambda *p: torch.optim.Adam(p, lr=1e-2, weight_decay=0.1)),
    "adamW": run(lambda *p: torch.optim.AdamW(p)),
    "adamW on matrices": run(lambda *p: torch.optim.AdamW(groups(*p), lr=1e-2)),
    "clipped adamW": run(lambda *p: torch.optim.AdamW(p, lr=1e-2), max_norm=0.5),
    "clipped sgd": run(sgd(lr=0.1), max_norm=5.0),
}

print(json.dumps({"initial": initial, "gradients": gradients, "parametersAfter": parameters_after}, indent=1))
