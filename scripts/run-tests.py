#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the tests of a build directory and count them.

    run-tests.py BUILDDIR [--suite NAME ...] [--wrapper CMD] [--slower N] [--totals FILE]

A cmocka program counts as many tests as it announced, any other program as one.  Exit 77 is a
skip, its reason the last line of the output.  A program that fails apart from its tests (a crash
at the end, a leak report) counts one failure more.

Prints what failed, then the skips with their reasons, and as its last line "N passed, N failed".
Exit status 0 only if nothing failed and something passed.  --totals adds "PASSED FAILED" to a file.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field

ANNOUNCED = re.compile(r'\[=+\] Running (\d+) test\(s\)')
RUN = re.compile(r'\[ RUN      \] (.+?)\s*$')
VERDICT = re.compile(r'\[\s+(OK|FAILED|SKIPPED)\s+\] (.+?)\s*$')


@dataclass
class Tally:
    """What one program, or all of them, came to."""
    passed: int = 0
    failed: list = field(default_factory=list)          # texts
    skipped: list = field(default_factory=list)         # (name, reason)

    def add(self, other):
        """Fold another tally into this one."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def last_line(text):
    """The last line that is not blank, or ''."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ''


def count_cmocka(name, out):
    """The tally of a cmocka program by its standard output; None if it is no such output.

    A test that was announced and has no verdict counts as failed.
    """
    tally, announced, n_run, running, said = Tally(), 0, 0, None, ''
    for line in out.splitlines() + ['[==========] end']:
        run, verdict, more = RUN.search(line), VERDICT.search(line), ANNOUNCED.search(line)
        if verdict and running:
            if verdict.group(1) == 'OK':
                tally.passed += 1
            elif verdict.group(1) == 'FAILED':
                tally.failed.append(f'{name}: {running}')
            else:
                tally.skipped.append((f'{name}: {running}', said or 'no reason given'))
            running = None
        elif run or '[==========]' in line:
            if running:
                tally.failed.append(f'{name}: {running}: began and came to no verdict')
            running = run.group(1) if run else None
            n_run += bool(run)
            said = ''
        elif line.strip():
            said = line.strip()
        if more:
            announced += int(more.group(1))
    if not announced:
        return None
    tally.failed += [f'{name}: announced, but never run'] * (announced - n_run)
    return tally


def count_one(entry):
    """The tally of one entry of meson's log."""
    name, result = entry['name'].partition(':')[2].replace(' / ', '/') or entry['name'], entry['result']
    out, err = entry.get('stdout') or '', entry.get('stderr') or ''
    if result == 'SKIP':
        reason = last_line(out) or last_line(err) or 'no reason given'
        return Tally(skipped=[(name, reason)])
    tally = count_cmocka(name, out)
    if tally is None:
        tally = Tally(passed=int(result == 'OK'))
    if result != 'OK' and not tally.failed:
        tally.failed.append(f'{name}: {result.lower()}, exit status {entry.get("returncode")}')
    return tally


def read_log(path):
    """The entries of meson's testlog.json: one JSON object per line."""
    with open(path, encoding='utf-8') as f:
        return [json.loads(line) for line in f if line.strip()]


def run_meson(a):
    """Run the tests, show meson's own progress. Return: (exit status, log path or None)."""
    logs = os.path.join(a.builddir, 'meson-logs', 'testlog*.json')
    for old in glob.glob(logs):
        os.remove(old)
    cmd = ['meson', 'test', '-C', a.builddir, '--print-errorlogs', '--timeout-multiplier', str(a.slower)]
    for suite in a.suite or []:
        cmd += ['--suite', suite]
    if a.wrapper:
        cmd += ['--wrapper', a.wrapper]
    sys.stdout.flush()
    rc = subprocess.run(cmd, env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT='STDOUT'), check=False).returncode
    found = glob.glob(logs)
    return rc, found[0] if found else None


def report(total):
    """Print the failures, the skips with their reasons and, last, the count."""
    print()
    for text in total.failed:
        print(f'FAILED   {text}')
    if total.skipped:
        print(f'{len(total.skipped)} skipped:')
        for name, reason in total.skipped:
            print(f'  {name}: {reason}')
    print(f'{total.passed} passed, {len(total.failed)} failed')


def main(argv):
    ap = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    ap.add_argument('builddir')
    ap.add_argument('--suite', action='append')
    ap.add_argument('--wrapper')
    ap.add_argument('--slower', type=float, default=1, help='multiply every time limit')
    ap.add_argument('--totals')
    a = ap.parse_args(argv)
    rc, log = run_meson(a)
    total = Tally()
    for entry in read_log(log) if log else []:
        total.add(count_one(entry))
    if rc and not total.failed:
        total.failed.append(f'meson test: exit status {rc}')
    if not total.passed and not total.failed:
        total.failed.append('no test was run')
    report(total)
    if a.totals:
        with open(a.totals, 'a', encoding='utf-8') as f:
            f.write(f'{total.passed} {len(total.failed)}\n')
    return 1 if total.failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
