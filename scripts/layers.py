#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Check what CONTRIBUTING.md promises about the tree and prints each breach as "file:line: text".

    layers.py --layers FILE --src DIR [--wings FILE] [--objdir DIR] [--globals-ok FILE]

From the sources:  includes go down the ranks (and down the wings inside tcp/), *_int.h stays in its
folder, no extern in a .c file, SPDX line first, no empty doc comment, sequence numbers are compared
through wire/seq.h only.  A line may carry "extern-ok: reason" or "seq-ok: reason" in a comment.
From the objects in --objdir:  calls go down the ranks and wings, nothing is a writable global, every
source of the library is built (devices may be left out, shim and tool are built elsewhere).

Tables named *_tab and defined in boot/ may be read from anywhere: they are the way up.
Exit status 1 if anything was found, 2 if the checker itself is misused.
"""
import argparse
import os
import re
import subprocess
import sys

SPDX = 'SPDX-License-Identifier: BSD-2-Clause'

# Names that hold a sequence number: snd_* and rcv_*, seq, seq_x, x_seq - but not these quantities.
SEQ_NAME = re.compile(r'^(snd_\w+|rcv_\w+|seq|seq_\w+|\w+_seq)$')
QUANTITY = re.compile(r'^(n|num)_|(^|_)(c?wnd|ssthresh|wscale|shift|bytes|mss|s?buf|rcvbuf|sndbuf|cnt|'
                      r'count|pages|timeo|lowat|us|ns|ms|len|space|rtt|win|clamp|idx|id|state)(_|$)')
MAY_BE_UNBUILT = {'dev', 'preload', 'tools'}
NAME = r'[A-Za-z_]\w*'
MEMBER = rf'(?:{NAME}(?:\([^()]*\))?\s*(?:->|\.|\[[^\]]*\]\s*(?:->|\.))\s*)*({NAME})'
RELATION = r'(?:<=|>=|(?<![<\-])<(?![<=])|(?<![>\-])>(?![>=]))'
SEQ_LEFT = re.compile(rf'\b{MEMBER}(?:\[[^\]]*\])?\s*{RELATION}')
SEQ_RIGHT = re.compile(rf'{RELATION}\s*{MEMBER}\b(?!\s*(?:\(|->|\.))')
GLOBAL_SECTION = re.compile(r'^(\.(data|bss|tdata|tbss)(?!\.rel\.ro)|\*COM\*|COMMON)')


class UsageError(Exception):
    """A list is wrong, so nothing can be checked against it."""


def read_layers(path):
    """The file as {folder: set of folders it may use, itself included}, in order."""
    allow = {}
    with open(path, encoding='utf-8') as f:
        for line in f:
            line = line.split('#')[0].strip()
            if not line:
                continue
            name, colon, uses = line.partition(':')
            name = name.strip()
            later = [u for u in uses.split() if u not in allow]
            if not colon or name in allow:
                raise UsageError(f'{path}: bad line: {line}')
            if later:
                raise UsageError(f'{path}: {name} may not use {later}: not listed before it')
            allow[name] = set(uses.split()) | {name}
    return allow


def read_globals_ok(path):
    """Names that may be writable globals; each line is "symbol reason"."""
    ok = set()
    with open(path, encoding='utf-8') as f:
        for line in f:
            words = line.split('#')[0].split(None, 1)
            if len(words) == 1:
                raise UsageError(f'{path}: {words[0]} has no reason')
            ok.update(words[:1])
    return ok


def source_files(src):
    """All .c and .h files below src, relative, with forward slashes, sorted."""
    found = []
    for folder, _, names in os.walk(src):
        rel = os.path.relpath(folder, src)
        found += [os.path.normpath(os.path.join(rel, n)).replace(os.sep, '/')
                  for n in names if n.endswith(('.c', '.h'))]
    return sorted(found)


def blank(text, keep_strings=False):
    """The text with comments (and strings) blanked, line structure kept."""
    def space(m):
        s = m.group(0)
        if keep_strings and s[0] in '"\'':
            return s
        return re.sub(r'[^\n]', ' ', s)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', space, text, flags=re.S)


def wing_of(rel, wings):
    """'tcp/out' for 'tcp/out/push.c'; 'tcp' for a file straight in tcp/; None outside wings."""
    parts = rel.split('/')
    roots = {w.split('/')[0] for w in wings}
    if parts[0] not in roots:
        return None
    return '/'.join(parts[:2]) if len(parts) > 2 else parts[0]


def wing_allows(me, to, wings):
    """Whether wing me may use wing to.  A file straight in tcp/ belongs below all wings."""
    if me is None or to is None or me == to or '/' not in to:
        return True
    return to in wings.get(me, {me})


def check_includes(rel, text, allow, wings):
    """Include directions and private headers of one file."""
    me = rel.split('/')[0]
    my_wing = wing_of(rel, wings)
    if me not in allow:
        yield 1, f'folder {me} is not in the list of layers'
        return
    if my_wing and '/' in my_wing and my_wing not in wings:
        yield 1, f'{my_wing} is not in the list of wings'
    raw = text.splitlines()
    for no, line in enumerate(blank(text, keep_strings=True).splitlines(), 1):
        if rel.endswith('.c') and re.match(r'\s*extern\b', line) and 'extern-ok:' not in raw[no - 1]:
            yield no, 'extern in a .c file; include the header'
        m = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
        if not m:
            continue
        inc = m.group(1)
        to = inc.split('/')[0]
        quoted = '"' in line
        if '/' not in inc:
            if quoted:
                yield no, f'write "{os.path.dirname(rel)}/{inc}"'
            continue
        if not quoted and to not in allow:
            continue                                    # <sys/uio.h>
        if '..' in inc.split('/') or to not in allow:
            yield no, f'{inc}: start at a folder of the list of layers'
        elif to not in allow[me]:
            yield no, f'{me} may not include {to}'
        elif not wing_allows(my_wing, wing_of(inc, wings), wings):
            yield no, f'{my_wing} may not include {wing_of(inc, wings)}'
        if inc.endswith('_int.h') and not rel.startswith(os.path.dirname(inc) + '/'):
            yield no, f'{inc} is private to {os.path.dirname(inc)}/'


def is_sequence(name):
    """Whether a variable of this name holds a sequence number by the house's naming."""
    return bool(SEQ_NAME.match(name)) and not QUANTITY.search(name)


def check_sequences(rel, text):
    """No < or > on sequence numbers outside wire/seq.h."""
    if rel == 'wire/seq.h':
        return
    raw = text.splitlines()
    for no, line in enumerate(blank(text).splitlines(), 1):
        if line.lstrip().startswith('#') or 'seq-ok:' in raw[no - 1]:
            continue
        names = [m.group(1) for m in SEQ_LEFT.finditer(line)] + [m.group(1) for m in SEQ_RIGHT.finditer(line)]
        for name in sorted({n for n in names if is_sequence(n)}):
            yield no, f'{name} compared directly; use seq_before() and its kin from wire/seq.h'


def empty_parts(body):
    """What is empty in one doc comment, given its lines without the stars."""
    if not any(body):
        yield 'empty doc comment'
        return
    first = next(line for line in body if line)
    if re.match(r'^\w+\(\)\s*-*$', first) and len([line for line in body if line]) == 1:
        yield f'doc comment of {first.split("(")[0]}() says nothing'
    elif re.match(r'^\w+\(\)\s*-+$', first):
        yield f'no purpose after {first.split("(")[0]}()'
    for line, after in zip(body, body[1:] + ['']):
        m = re.match(r'^(@\w+|Return|Context|Spec|Next|Trace|Counter):$', line)
        if m and (not after or re.match(r'^(@\w+|[A-Z]\w+):', after)):
            yield f'{m.group(1)}: without a text'


def check_docs(text):
    """No empty doc boxes."""
    for m in re.finditer(r'/\*\*(?!/)(.*?)\*/', text, flags=re.S):
        no = text.count('\n', 0, m.start()) + 1
        body = [re.sub(r'^\s*\*?', '', line).strip() for line in m.group(1).splitlines()] or ['']
        for what in empty_parts(body):
            yield no, what


def check_sources(src, allow, wings):
    """Every finding in the sources below src, as text."""
    for rel in source_files(src):
        path = os.path.join(src, rel)
        with open(path, encoding='utf-8', errors='replace') as f:
            text = f.read()
        found = list(check_includes(rel, text, allow, wings))
        found += check_sequences(rel, text)
        found += check_docs(text)
        if SPDX not in text.split('\n', 1)[0]:
            found.append((1, f'first line must hold {SPDX}'))
        for no, what in sorted(found):
            yield f'{path}:{no}: {what}'


def read_symbols(path):
    """(binding flags, section, name) of each symbol of one object."""
    out = subprocess.run(['objdump', '-t', path], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        m = re.match(r'^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden |\.internal |\.protected )?(\S+)$', line)
        if m:
            yield m.groups()


def objects_of(objdir, src):
    """{object path: source} for the objects meson named after sources: tcp/out/push.c -> tcp_out_push.c.o"""
    by_name = {rel.replace('/', '_') + '.o': rel for rel in source_files(src) if rel.endswith('.c')}
    found = {}
    for folder, _, names in os.walk(objdir):
        for n in names:
            rel = os.path.relpath(os.path.join(folder, n), objdir).replace(os.sep, '_')
            if rel in by_name:
                found[os.path.join(folder, n)] = by_name[rel]
    return found


def check_all_built(objdir, src):
    """Sources of the library that no meson.build lists."""
    built = set(objects_of(objdir, src).values())
    for rel in source_files(src):
        if rel.endswith('.c') and rel.split('/')[0] not in MAY_BE_UNBUILT and rel not in built:
            yield f'{rel}: not built; list it in {os.path.dirname(rel)}/meson.build'


def check_objects(objdir, src, allow, wings, ok):
    """Every finding in the objects: writable globals and calls up the ranks."""
    defined, wanted = {}, []
    for path, rel in sorted(objects_of(objdir, src).items()):
        for flags, section, name in read_symbols(path):
            if section == '*UND*':
                wanted.append((rel, name))
                continue
            if flags[0] in 'gu!' or flags[1] == 'w':
                defined[name] = rel
            is_data = 'O' in flags or section == '*COM*' or re.match(r'\.t(data|bss)', section) and 'd' not in flags
            if is_data and GLOBAL_SECTION.match(section) and name.split('.')[0] not in ok:
                yield f'{rel}: writable global {name} in {section}: put it in the arena or in proc_local'
    for rel, name in wanted:
        there = defined.get(name)
        me = rel.split('/')[0]
        if there is None or me not in allow:
            continue
        to = there.split('/')[0]
        if to == 'boot' and name.endswith('_tab'):
            continue
        if to not in allow[me]:
            yield f'{rel}: {me} uses {name} of {to} ({there})'
        elif not wing_allows(wing_of(rel, wings), wing_of(there, wings), wings):
            yield f'{rel}: {wing_of(rel, wings)} uses {name} of {wing_of(there, wings)} ({there})'


def main(argv):
    ap = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    ap.add_argument('--layers', required=True)
    ap.add_argument('--src', required=True)
    ap.add_argument('--wings')
    ap.add_argument('--objdir')
    ap.add_argument('--globals-ok')
    a = ap.parse_args(argv)
    try:
        allow = read_layers(a.layers)
        wings = read_layers(a.wings) if a.wings else {}
        ok = read_globals_ok(a.globals_ok) if a.globals_ok else set()
    except (UsageError, OSError) as e:
        print(e, file=sys.stderr)
        return 2
    found = list(check_sources(a.src, allow, wings))
    n_objects = 0
    if a.objdir:
        n_objects = len(objects_of(a.objdir, a.src))
        if n_objects == 0:
            print(f'{a.objdir}: no object of {a.src} found: build first', file=sys.stderr)
            return 2
        found += check_all_built(a.objdir, a.src)
        found += check_objects(a.objdir, a.src, allow, wings, ok)
    for line in found:
        print(line)
    print(f'layers: {len(source_files(a.src))} files, {n_objects} objects, {len(found)} findings')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
