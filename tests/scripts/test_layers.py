#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The checker is given small trees with one planted breach each and must name it."""
import importlib.util
import os
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location('layers', os.path.join(HERE, '../../scripts/layers.py'))
layers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(layers)

SPDX = '/* SPDX-License-Identifier: BSD-2-Clause */\n'
ALLOW = {'naru': {'naru'}, 'base': {'base'}, 'wire': {'base', 'wire'}, 'core': {'base', 'wire', 'core'},
         'tcp': {'base', 'wire', 'core', 'tcp'}, 'boot': {'naru', 'base', 'wire', 'core', 'tcp', 'boot'}}
WINGS = {'tcp/base': {'tcp/base'}, 'tcp/out': {'tcp/base', 'tcp/out'}}


class Tree(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.src = os.path.join(self.top, 'src')
        self.addCleanup(shutil.rmtree, self.top)

    def put(self, rel, text, spdx=True):
        path = os.path.join(self.src, rel)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write((SPDX if spdx else '') + text)

    def compile(self):
        objdir = os.path.join(self.top, 'obj')
        os.makedirs(objdir, exist_ok=True)
        for rel in layers.source_files(self.src):
            if rel.endswith('.c'):
                subprocess.run(['cc', '-O0', '-fPIC', '-ffunction-sections', '-I' + self.src, '-c',
                                os.path.join(self.src, rel), '-o',
                                os.path.join(objdir, rel.replace('/', '_') + '.o')], check=True)
        return objdir

    def found(self):
        return list(layers.check_sources(self.src, ALLOW, WINGS))

    def found_in_objects(self, ok=()):
        return list(layers.check_objects(self.compile(), self.src, ALLOW, WINGS, set(ok)))

    def expect(self, *parts):
        found = self.found()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])


class Sources(Tree):
    def test_a_clean_tree_is_clean(self):
        self.put('base/a.h', '/**\n * a() - does a thing\n * @x: bytes\n */\nint a(int x);\n')
        self.put('wire/w.c', '#include <stdio.h>\n#include <sys/uio.h>\n#include "base/a.h"\nint w;\n')
        self.assertEqual(self.found(), [])

    def test_include_of_a_higher_rank_is_named_with_its_line(self):
        self.put('base/a.c', '\n#include "tcp/base/sock.h"\n')
        self.expect('base/a.c:3:', 'base may not include tcp')

    def test_include_in_angle_brackets_does_not_escape(self):
        self.put('base/a.c', '#include <tcp/base/sock.h>\n')
        self.expect('base may not include tcp')

    def test_include_in_a_comment_does_not_count(self):
        self.put('base/a.c', '/*\n#include "tcp/base/sock.h"\n*/\n')
        self.assertEqual(self.found(), [])

    def test_include_without_a_folder_is_refused(self):
        self.put('base/a.c', '#include "a.h"\n')
        self.expect('write "base/a.h"')

    def test_include_through_the_parent_folder_is_refused(self):
        self.put('base/a.c', '#include "base/../tcp/x.h"\n')
        self.expect('start at a folder')

    def test_private_header_stays_in_its_folder(self):
        self.put('wire/w.c', '#include "base/a_int.h"\n')
        self.expect('base/a_int.h is private to base/')

    def test_private_header_of_a_wing_stays_in_the_wing(self):
        self.put('tcp/out/push.c', '#include "tcp/base/rtxq_int.h"\n')
        self.expect('private to tcp/base/')

    def test_private_header_is_open_to_its_own_folder(self):
        self.put('tcp/out/push.c', '#include "tcp/out/out_int.h"\n#include "tcp/tcp_int.h"\n')
        self.assertEqual(self.found(), [])

    def test_lower_wing_may_not_include_a_higher_one(self):
        self.put('tcp/base/rtt.c', '#include "tcp/out/push.h"\n')
        self.expect('tcp/base may not include tcp/out')

    def test_header_straight_in_the_transport_may_not_include_a_wing(self):
        self.put('tcp/tcp.h', '#include "tcp/out/push.h"\n')
        self.expect('tcp may not include tcp/out')

    def test_unlisted_wing_is_named(self):
        self.put('tcp/attic/x.c', 'int x;\n')
        self.expect('tcp/attic is not in the list of wings')

    def test_unlisted_folder_is_named(self):
        self.put('misc/a.c', 'int a;\n')
        self.expect('folder misc is not in the list')

    def test_extern_in_a_c_file_is_refused(self):
        self.put('base/a.c', 'extern int b;\n')
        self.expect('base/a.c:2:', 'extern')
        self.put('base/a.c', 'extern const char label[]; /* extern-ok: label of the assembly above */\n')
        self.assertEqual(self.found(), [])

    def test_missing_licence_line_is_named(self):
        self.put('base/a.c', 'int a;\n', spdx=False)
        self.expect('base/a.c:1:', 'SPDX')

    def test_empty_doc_boxes_are_named(self):
        for box in ('/** */', '/**\n *\n */', '/**\n * f() -\n */', '/** f() */',
                    '/**\n * f() - works\n * @x:\n */', '/**\n * f() - works\n * Return:\n */'):
            with self.subTest(box=box):
                self.put('base/a.h', box + '\nint f(int x);\n')
                self.expect('base/a.h:2:')

    def test_doc_text_on_the_next_line_is_a_text(self):
        self.put('base/a.h', '/**\n * f() - works\n * Return:\n *   0 or -EINVAL\n */\nint f(void);\n')
        self.assertEqual(self.found(), [])


class Sequences(Tree):
    def test_direct_comparison_is_named(self):
        for expr in ('tp->snd_una < end', 'a >= tp->rcv_nxt', 'seq > x', 'h.ack_seq<y', 'x <= tcb(skb)->end_seq',
                     'tp->blk[2].start_seq > x', 'x > b[i].seq'):
            with self.subTest(expr=expr):
                self.put('tcp/base/a.c', f'int f(void) {{ return {expr}; }}\n')
                self.expect('compared directly')

    def test_quantities_calls_and_arrows_are_not_comparisons(self):
        for expr in ('tp->snd_wnd < x', 'tp->snd_cwnd > 2', 'tp->rcv_ssthresh <= x', 'seq_diff(a, b) > 0',
                     'x < seq_diff(a, b)', 'p->seq + 1', 'p->seq >> 2', 'x << tp->seq', 'seq->x < 3',
                     'rcv_wscale > 14', 'x /* seq < y */', 'puts("seq < 3")'):
            with self.subTest(expr=expr):
                self.put('tcp/base/a.c', f'int f(void) {{ return {expr}; }}\n')
                self.assertEqual(self.found(), [])

    def test_the_one_header_may_compare(self):
        self.put('wire/seq.h', 'int f(int seq) { return seq < 3; }\n')
        self.assertEqual(self.found(), [])

    def test_a_stated_reason_excuses_one_line(self):
        self.put('base/a.c', 'int f(int seq) {\n\treturn seq < 3; /* seq-ok: a lock version */\n}\n')
        self.assertEqual(self.found(), [])


class Objects(Tree):
    def test_constants_are_not_writable_globals(self):
        self.put('base/a.c', 'const int t[3] = {1, 2, 3};\nstatic int f(void) { return 1; }\n'
                 'int (*const ops[])(void) = {f};\nconst char *const names[] = {"a"};\n')
        self.assertEqual(self.found_in_objects(), [])

    def test_each_kind_of_writable_global_is_named(self):
        for text in ('int a = 1;', 'int a;', 'static int a; int *f(void) { return &a; }',
                     'int f(void) { static int a; return a++; }', '_Thread_local int a;',
                     'const char *a[] = {"x"};'):
            with self.subTest(text=text):
                self.put('base/a.c', text + '\n')
                found = self.found_in_objects()
                self.assertEqual(len(found), 1, found)
                self.assertIn('writable global a', found[0])

    def test_a_listed_global_is_allowed(self):
        self.put('base/a.c', 'int f(void) { static int a; return a++; }\n')
        self.assertEqual(self.found_in_objects(ok=['a']), [])

    def test_a_call_up_is_named_even_without_an_include(self):
        self.put('base/a.c', 'void tcp_push(void);\nvoid a(void) { tcp_push(); }\n')
        self.put('tcp/out/push.c', 'void tcp_push(void) { }\n')
        found = self.found_in_objects()
        self.assertEqual(found, ['base/a.c: base uses tcp_push of tcp (tcp/out/push.c)'])

    def test_a_call_up_the_wings_is_named(self):
        self.put('tcp/base/a.c', 'void tcp_push(void);\nvoid a(void) { tcp_push(); }\n')
        self.put('tcp/out/push.c', 'void tcp_push(void) { }\n')
        self.assertEqual(len(self.found_in_objects()), 1)

    def test_a_source_that_nobody_builds_is_named(self):
        self.put('base/a.c', 'int a(void) { return 1; }\n')
        objdir = self.compile()
        self.put('base/b.c', 'int b(void) { return 1; }\n')
        self.put('dev/dpdk.c', 'int d(void) { return 1; }\n')
        self.assertEqual(list(layers.check_all_built(objdir, self.src)),
                         ['base/b.c: not built; list it in base/meson.build'])

    def test_tables_are_the_way_up_only_when_boot_defines_them(self):
        self.put('core/a.c', 'extern const int x_tab[], y_tab[];\nint a(void) { return x_tab[0] + y_tab[0]; }\n')
        self.put('boot/tables.c', 'const int x_tab[1] = {1};\n')
        self.put('tcp/base/t.c', 'const int y_tab[1] = {1};\n')
        self.assertEqual(self.found_in_objects(), ['core/a.c: core uses y_tab of tcp (tcp/base/t.c)'])


class Lists(Tree):
    def write(self, text):
        path = os.path.join(self.top, 'list')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def test_a_layer_may_not_name_a_later_one(self):
        with self.assertRaises(layers.UsageError):
            layers.read_layers(self.write('base: wire\nwire: base\n'))

    def test_an_allowed_global_needs_a_reason(self):
        with self.assertRaises(layers.UsageError):
            layers.read_globals_ok(self.write('# comment\nfoo\n'))

    def test_the_command_fails_on_findings_and_on_missing_objects(self):
        self.put('base/a.c', 'extern int b;\n')
        args = ['--layers', self.write('base:\n'), '--src', self.src]
        with open(os.devnull, 'w', encoding='utf-8') as null:
            out = subprocess.run(['python3', SPEC.origin, *args], stdout=null, check=False)
            self.assertEqual(out.returncode, 1)
            out = subprocess.run(['python3', SPEC.origin, *args, '--objdir', self.top], stdout=null,
                                 stderr=null, check=False)
            self.assertEqual(out.returncode, 2)


if __name__ == '__main__':
    unittest.main()
