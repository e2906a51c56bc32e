"""Writes optax.json: what Optax makes of a few optimizers, in float64. Made with optax 0.2.8 and jax 0.10.2.

python optax_golden.py > optax.json
"""

import json
import math

import jax
import jax.numpy as jnp
import optax

jax.config.update("jax_enable_x64", True)

STEPS = 6
initial = [math.sin(i + 1) for i in range(7)]
gradients = [[(t + 1) * math.cos(3 * (7 * t + i) + 1) for i in range(7)] for t in range(STEPS)]


def tree(vector):
    return {"matrix": jnp.array(vector[:4]).reshape(2, 2), "vector": jnp.array(vector[4:])}


def only_matrices(parameters):
    return jax.tree.map(lambda p: p.ndim >= 2, parameters)


schedule = optax.warmup_cosine_decay_schedule(0.0, 0.1, warmup_steps=2, decay_steps=5, end_value=0.01)
optimizers = {
    "sgd": optax.sgd(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9),
    "nesterov": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adam": optax.adam(1e-3),
    "adamW": optax.adamw(1e-2, weight_decay=0.01),
    "adamW on matrices": optax.adamw(1e-2, weight_decay=0.1, mask=only_matrices),
    "warm-up and cosine": optax.sgd(schedule),
}

parameters_after = {}
for name, optimizer in optimizers.items():
    parameters = tree(initial)
    state = optimizer.init(parameters)
    parameters_after[name] = []
    for gradient in gradients:
        updates, state = optimizer.update(tree(gradient), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        flat = parameters["matrix"].ravel().tolist() + parameters["vector"].tolist()
        parameters_after[name].append(flat)

print(json.dumps({"initial": initial, "gradients": gradients, "parametersAfter": parameters_after}, indent=1))
