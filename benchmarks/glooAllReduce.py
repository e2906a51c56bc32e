"""Gloo's all-reduce for benchmarks/sockets.ts: for each line on standard input one turn, timed on all ranks."""
import json
import os
import resource
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rank_main(rank, world_size, megabytes, tasks, answers):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=os.environ.get("GLOO_PORT", "29577"))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    x = torch.zeros(int(megabytes * 1e6 / 4))
    while tasks.get():
        x.fill_(rank)
        dist.barrier()
        cpu, begin = cpu_seconds(), time.perf_counter()
        dist.all_reduce(x)
        answers.put((time.perf_counter() - begin, cpu_seconds() - cpu))
        assert x[0] == world_size * (world_size - 1) / 2
    dist.destroy_process_group()


if __name__ == "__main__":
    world_size, megabytes = int(sys.argv[1]), float(sys.argv[2])
    context = mp.get_context("spawn")
    answers = context.Queue()
    tasks = [context.Queue() for _ in range(world_size)]
    ranks = [
        context.Process(target=rank_main, args=(rank, world_size, megabytes, tasks[rank], answers))
        for rank in range(world_size)
    ]
    for process in ranks:
        process.start()
    for _ in sys.stdin:
        for queue in tasks:
            queue.put(True)
        taken = [answers.get() for _ in ranks]
        print(json.dumps({"seconds": max(t for t, _ in taken), "cpu": sum(c for _, c in taken)}), flush=True)
    for queue in tasks:
        queue.put(False)
    for process in ranks:
        process.join()
