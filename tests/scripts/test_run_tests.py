#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The counter must never turn a failure into silence: outputs as cmocka 1.1.5 prints them."""
import importlib.util
import os
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location('run_tests', os.path.join(HERE, '../../scripts/run-tests.py'))
run_tests = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run_tests)

TWO_GROUPS = '''[==========] Running 3 test(s).
[ RUN      ] a
[       OK ] a
[ RUN      ] b
[  FAILED  ] b
[ RUN      ] c
needs a tap
[  SKIPPED ] c
[==========] 3 test(s) run.
[==========] Running 1 test(s).
[ RUN      ] a
output without a newline[       OK ] a
[==========] 1 test(s) run.
'''


def entry(result, out='', err='', rc=0):
    return {'name': 'x', 'result': result, 'stdout': out, 'stderr': err, 'returncode': rc}


class Counting(unittest.TestCase):
    def check(self, e, passed, failed, skipped=0):
        t = run_tests.count_one(e)
        self.assertEqual((t.passed, len(t.failed), len(t.skipped)), (passed, failed, skipped), t)
        return t

    def test_each_test_of_each_group_counts(self):
        t = self.check(entry('FAIL', TWO_GROUPS, rc=1), 2, 1, 1)
        self.assertEqual(t.failed, ['x: b'])
        self.assertEqual(t.skipped, [('x: c', 'needs a tap')])

    def test_a_failed_test_counts_even_if_the_program_returned_0(self):
        self.check(entry('OK', TWO_GROUPS), 2, 1, 1)

    def test_a_failed_set_up_leaves_no_verdict_and_fails(self):
        out = '[==========] Running 2 test(s).\n[ RUN      ] a\n[ RUN      ] b\n[       OK ] b\n'
        t = self.check(entry('FAIL', out, rc=1), 1, 1)
        self.assertIn('x: a: began', t.failed[0])

    def test_tests_after_a_crash_count_as_failed(self):
        out = '[==========] Running 3 test(s).\n[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n'
        self.check(entry('FAIL', out, rc=-11), 1, 2)

    def test_a_leak_report_after_good_tests_fails(self):
        out = '[==========] Running 1 test(s).\n[ RUN      ] a\n[       OK ] a\n[==========] 1 test(s) run.\n'
        self.check(entry('FAIL', out, 'ERROR: LeakSanitizer', rc=23), 1, 1)

    def test_a_plain_program_counts_once(self):
        self.check(entry('OK', 'fine\n'), 1, 0)
        self.check(entry('FAIL', 'broken\n', rc=1), 0, 1)
        self.check(entry('TIMEOUT', rc=-9), 0, 1)

    def test_a_skip_carries_the_last_line_as_its_reason(self):
        t = self.check(entry('SKIP', 'trying\nneeds root\n\n', rc=77), 0, 0, 1)
        self.assertEqual(t.skipped, [('x', 'needs root')])

    def test_a_skip_may_speak_on_standard_error(self):
        t = self.check(entry('SKIP', '', 'needs root\n', rc=77), 0, 0, 1)
        self.assertEqual(t.skipped, [('x', 'needs root')])


if __name__ == '__main__':
    unittest.main()
