#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measure Naru beside the kernel and print one table.

    bench.py BENCH_RUN [--quick] [--rounds N] [--only W1,W3] [--instructions]

Each row has one command for the kernel and one for Naru.  They run in turn, each time in a process
of its own, the first of a round changing with the round; the figure is the median.  A machine may run
at two speeds within a minute: the ratio within one row is what counts, not the figure.

--quick          fewer rounds and shorter runs, about 20 seconds in all
--instructions   instructions for one operation of Naru instead, counted by valgrind

Exit status 77 when a row could not be measured here (no root, no namespaces, no TAP); 1 when a run
of Naru failed.
"""
import argparse
import statistics
import subprocess
import sys
from dataclasses import dataclass

SKIP = 77
RUN_TIMEOUT_S = 120
QUICK_SHARE = 0.25        # of the operations of a full run


@dataclass
class Row:
    """One workload; the commands are PEER, WORKLOAD, number of operations, more arguments."""
    name: str
    what: str
    unit: str
    goal: float
    kernel: list
    naru: list
    note: str = ''


GB = 1000000000
ROWS = [
    Row('W1', 'bulk, 64 KiB writes, large frames', 'CPU s/GB', 0.072,
        ['kernel-lo', 'bulk', 2 * GB], ['naru-wire', 'bulk', 6 * GB], 'wire in memory'),
    Row('W1', 'the same', 'CPU s/GB', 0.072,
        ['kernel-lo', 'bulk', 2 * GB], ['naru-lo', 'bulk', 6 * GB], 'loopback'),
    Row('W1s', 'bulk, 1500-byte frames, software checksums', 'CPU s/GB', 0.165,
        ['kernel-lo-1500', 'bulk', GB // 2], ['naru-wire-1500', 'bulk', 2 * GB]),
    Row('W2', '64-byte round trip, p50', 'us', 0.33,
        ['kernel-lo', 'ping', 40000], ['naru-wire', 'ping', 600000]),
    Row('W3', '64-byte sends, TCP_NODELAY', 'CPU us', 0.13,
        ['kernel-lo', 'sends', 100000], ['naru-wire', 'sends', 1500000]),
    Row('W4', 'connect, request, answer, close', 'CPU us', 2.2,
        ['kernel-lo', 'connections', 8000], ['naru-wire', 'connections', 60000]),
    Row('W5', 'memory of an idle established end', 'bytes', 768,
        ['kernel-lo', 'memory', 8000], ['naru-wire', 'memory', 30000]),
    Row('W6', 'to the kernel over TAP, large frames', 'CPU s/GB', 0.17,
        ['kernel-veth', 'pair-bulk', 2 * GB], ['naru-tap-send', 'bulk', 2 * GB], 'kernel: veth, two processes'),
    Row('W7', 'from the kernel over TAP, large frames', 'CPU s/GB', 0.22,
        ['kernel-veth', 'pair-bulk', 2 * GB], ['naru-tap-recv', 'bulk', 2 * GB], 'kernel: veth, two processes'),
    Row('W8', '64-byte round trip, two cores, sleeping', 'us', 0,
        ['kernel-lo', 'pair-ping', 8000], ['naru-shared-lo', 'pair-ping', 8000], 'goal: the kernel\'s'),
    Row('W8', 'the same, spinning', 'us', 1.5,
        ['kernel-lo', 'pair-spin', 20000], ['naru-shared-lo', 'pair-spin', 100000]),
    Row('W9', '64-byte round trip over TAP, p50', 'us', 9.0,
        ['kernel-veth', 'pair-ping', 8000], ['naru-tap-send', 'ping', 30000], 'kernel: veth, two processes'),
]

# name, peer, workload, operations of the shorter and the longer run, more arguments, goal
INSTRUCTIONS = [
    ('W2', ['naru-wire', 'ping'], 4000, 20000, 4500),
    ('W3', ['naru-wire', 'sends'], 10000, 50000, 2100),
    ('W4', ['naru-wire', 'connections'], 1000, 4000, 20000),
]


class RunFailed(Exception):
    """A run ended badly; says whether it merely could not be had here."""

    def __init__(self, text, is_skip):
        super().__init__(text)
        self.is_skip = is_skip


def last_line(text):
    """The last line that is not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else 'no message'


def run_once(bench_run, command):
    """One run in a process of its own: its figure."""
    argv = [bench_run] + [str(word) for word in command]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise RunFailed(f'{" ".join(command[:2])}: no end after {RUN_TIMEOUT_S} s', False) from late
    if done.returncode:
        why = last_line(done.stderr) if done.returncode > 0 else f'killed by signal {-done.returncode}'
        raise RunFailed(f'{" ".join(command[:2])}: {why}', done.returncode == SKIP)
    return float(done.stdout)


def shorten(command, share):
    """The command with its number of operations cut to a share."""
    return command[:2] + [int(command[2] * share)] + command[3:]


class Side:
    """What one side of a row came to."""

    def __init__(self, command):
        self.command = command
        self.values = []
        self.failure = None

    def run(self, bench_run):
        """One more value, unless an earlier run failed."""
        if self.failure:
            return
        try:
            self.values.append(run_once(bench_run, self.command))
        except RunFailed as failure:
            self.failure = failure

    def median(self):
        """The figure, None if there is none."""
        return statistics.median(self.values) if self.values and not self.failure else None


def measure(bench_run, row, rounds, share):
    """Both sides of a row in turn."""
    sides = [Side(shorten(row.kernel, share)), Side(shorten(row.naru, share))]
    for i in range(rounds):
        for side in sides if i % 2 == 0 else reversed(sides):
            side.run(bench_run)
    return sides


def number(value):
    """Three digits that count."""
    if value is None:
        return '-'
    if value >= 1000:
        return f'{value:.0f}'
    return f'{value:#.3g}'.rstrip('.')


def verdict(row, kernel, naru):
    """Whether the goal is met."""
    goal = row.goal or kernel
    if naru is None or goal is None:
        return '-'
    return 'met' if naru <= goal else 'missed'


LINE = '{:<4} {:<43} {:<9} {:>9} {:>9} {:>7} {:>9}  {:<7} {}'


def print_row(row, kernel, naru):
    """One line of the table."""
    ratio = f'{kernel / naru:.1f}' if kernel and naru else '-'
    goal = f'<= {row.goal:g}' if row.goal else '<= kernel'
    print(LINE.format(row.name, row.what, row.unit, number(kernel), number(naru), ratio, goal,
                      verdict(row, kernel, naru), row.note).rstrip(), flush=True)


def table(bench_run, rows, rounds, share):
    """Measure and print; the failures."""
    failures = []
    print(LINE.format('', 'workload', 'unit', 'kernel', 'Naru', 'ratio', 'goal', '', '').rstrip())
    for row in rows:
        sides = measure(bench_run, row, rounds, share)
        print_row(row, *(side.median() for side in sides))
        failures += [(row.name, side.failure) for side in sides if side.failure]
    print(f'Medians of {rounds} alternating rounds; ratio: kernel / Naru, more is better.')
    for name, failure in failures:
        print(f'{name}: not measured: {failure}')
    return [failure for _, failure in failures]


def count_instructions(bench_run, command):
    """Instructions of one whole run under valgrind."""
    argv = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', bench_run] + [str(w) for w in command]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10 * RUN_TIMEOUT_S, check=False)
    if done.returncode:
        raise RunFailed(f'{" ".join(command[:2])}: {last_line(done.stderr)}', False)
    for line in done.stderr.splitlines():
        if 'Collected' in line:
            return int(line.split(':')[1])
    raise RunFailed('valgrind printed no count', False)


def instructions(bench_run):
    """The slope between a shorter and a longer run is what one operation costs."""
    print(f'{"":<4} {"instructions an operation":<28} {"Naru":>9} {"goal":>9}')
    for name, command, few, many, goal in INSTRUCTIONS:
        # a run of n does n/10 more to warm up
        extra = (count_instructions(bench_run, command + [many]) - count_instructions(bench_run, command + [few]))
        each = extra / ((many - few) * 1.1)
        print(f'{name:<4} {" ".join(command):<28} {each:>9.0f} {"<= " + str(goal):>9}  '
              f'{"met" if each <= goal else "missed"}', flush=True)


def main():
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description='Measure Naru beside the kernel.')
    parser.add_argument('bench_run')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--rounds', type=int, default=0)
    parser.add_argument('--only', default='')
    parser.add_argument('--instructions', action='store_true')
    args = parser.parse_args()
    if args.instructions:
        instructions(args.bench_run)
        return 0
    wanted = args.only.split(',') if args.only else []
    rows = [row for row in ROWS if not wanted or row.name in wanted]
    rounds = args.rounds or (3 if args.quick else 5)
    failures = table(args.bench_run, rows, rounds, QUICK_SHARE if args.quick else 1)
    if any(not failure.is_skip for failure in failures):
        return 1
    return SKIP if failures else 0


if __name__ == '__main__':
    sys.exit(main())
