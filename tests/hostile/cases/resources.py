"""Submissions that take processes, threads, memory, disk, descriptors or the parser's stack."""

from __future__ import annotations

from tests.hostile.case import EVERYWHERE, PASSES, QUICK, Case, error, net
from tests.hostile.cases.forged_output import framed
from tests.hostile.cases.process import BUSY

FORKS = "a fork bomb"
THREADS = "a thread bomb"
MEMORY = "a memory bomb"
DISK = "disk"
DESCRIPTORS = "file descriptors"
PRINTS = "endless stdout"
HUGE_REPLY = "a huge reply"
SOURCE_BOMBS = "source bombs"
RECURSION = "recursion"
ENTRIES = (FORKS, THREADS, MEMORY, DISK, DESCRIPTORS, PRINTS, HUGE_REPLY, SOURCE_BOMBS, RECURSION)

FULL = "wrote more than|No space left|File too large|SIGXFSZ"
NESTED = "nested too deeply|not valid Python|calls itself without end"

CASES = (
    Case(
        "a fork bomb",
        FORKS,
        net("import os\nwhile True: os.fork()"),
        error("PermissionError|not permitted"),
    ),
    Case(
        "a fork bomb that will not hear no",
        FORKS,
        net("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"),
        error(BUSY),
        QUICK,
    ),
    Case(
        "a pool of processes",
        FORKS,
        net(
            "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()"
        ),
        error("PermissionError|not permitted"),
    ),
    Case(
        "another program",
        FORKS,
        net("import subprocess; subprocess.run(['sleep', '9'])"),
        error("PermissionError|No such"),
    ),
    Case(
        "a shell",
        FORKS,
        net("import os\nif os.system('true') == 0: raise RuntimeError('it worked')"),
        PASSES,
    ),
    Case(
        "a thread bomb",
        THREADS,
        net(
            "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()"
        ),
        error("can't start new thread"),
    ),
    Case(
        "threads of torch",
        THREADS,
        net("torch.set_num_threads(64)\ntorch.rand(2000, 2000) @ torch.rand(2000, 2000)"),
        PASSES,
    ),
    Case(
        "a layer of a million by a million",
        MEMORY,
        net("self.big = nn.Linear(10**6, 10**6)"),
        error("4,000 GB of memory", line=10),
        levels=EVERYWHERE,
    ),
    Case(
        "a byte array of 100 GB",
        MEMORY,
        net("kept = bytearray(10**11)"),
        error("more memory", line=10),
    ),
    Case(
        "a growing list",
        MEMORY,
        net("kept = []\nwhile True: kept.append(torch.empty(2**28))"),
        error("GB of memory|more memory"),
    ),
    Case(
        "a tensor of 4 TB in forward",
        MEMORY,
        net(forward="x = x + torch.zeros(10**12).sum()"),
        error("4,000 GB"),
    ),
    Case(
        "a tensor of 4 PB that is only expanded",
        MEMORY,
        net(forward="x = x + x.expand(-1, 10**6, -1, -1).sum(1, True)"),
        error("limit is|memory"),
    ),
    Case(
        "a thousand small files, and more",
        DISK,
        net(
            "import pathlib, itertools\nfor i in itertools.count(): pathlib.Path(f'f{i}').write_text('x')"
        ),
        error("wrote more than"),
    ),
    Case(
        "large files",
        DISK,
        net("import itertools\nfor i in itertools.count(): open(f'{i}', 'wb').write(bytes(2**26))"),
        error(FULL),
    ),
    Case(
        "one endless file",
        DISK,
        net("with open('f', 'wb') as f:\n    while True: f.write(bytes(2**20))"),
        error(FULL),
    ),
    Case(
        "folders in folders",
        DISK,
        net("import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')"),
        error("wrote more than|OSError|too long"),
    ),
    Case(
        "many open files",
        DESCRIPTORS,
        net("kept = []\nwhile True: kept.append(open('/dev/null'))"),
        error("Too many open files"),
    ),
    Case(
        "many pipes",
        DESCRIPTORS,
        net("import os\nwhile True: os.pipe()"),
        error("Too many open files|PermissionError"),
    ),
    Case(
        "its own descriptors closed",
        DESCRIPTORS,
        net("import os\nos.closerange(0, 100)"),
        error("early|handed over|Bad file"),
    ),
    Case(
        "endless printing",
        PRINTS,
        net("while True: print('x' * 10**5)"),
        error("printed more than 16 MiB"),
    ),
    Case(
        "endless printing of bytes",
        PRINTS,
        net("import os\nwhile True: os.write(2, bytes(10**6))"),
        error("more than 16 MiB"),
    ),
    Case("some printing", PRINTS, net("print('x' * 10**6)", forward="print(x)"), PASSES),
    Case(
        "a closed standard output",
        PRINTS,
        net("import sys; sys.stdout.close(); sys.stderr.close()"),
        error("closed file"),
    ),
    Case(
        "a flood on the pipe",
        HUGE_REPLY,
        net("import os\nwhile True: os.write(4, bytes(2**20))"),
        error("more than 256 MiB"),
    ),
    Case(
        "a frame of 256 MiB and a byte",
        HUGE_REPLY,
        framed("bytes(2**28 + 1)"),
        error("more than 256 MiB"),
    ),
    Case(
        "100,000 minus signs",
        SOURCE_BOMBS,
        "X = " + "-" * 100_000 + "1\n" + net(),
        error(NESTED),
        levels=EVERYWHERE,
    ),
    Case("100,000 parentheses", SOURCE_BOMBS, "X = " + "(" * 100_000 + "\n" + net(), error(NESTED)),
    Case("20,000 times not", SOURCE_BOMBS, "X = " + "not " * 20_000 + "1\n" + net(), error(NESTED)),
    Case(
        "a long chain of attributes",
        SOURCE_BOMBS,
        "X = a" + ".a" * 60_000 + "\n" + net(),
        error(NESTED),
    ),
    Case("a long sum", SOURCE_BOMBS, "X = 1" + "+1" * 60_000 + "\n" + net(), error(NESTED)),
    Case(
        "100 nested loops",
        SOURCE_BOMBS,
        "".join(f"{' ' * i}for a in b:\n" for i in range(101)) + " " * 101 + "pass\n" + net(),
        error("not valid Python|nested"),
    ),
    Case(
        "a number of 100,000 digits",
        SOURCE_BOMBS,
        "X = " + "9" * 100_000 + "\n" + net(),
        error("not valid Python"),
    ),
    Case(
        "10 to the power of 10 to the power of 9",
        SOURCE_BOMBS,
        net("x = 10 ** 10 ** 9"),
        error(BUSY),
        QUICK,
    ),
    Case("257 KiB", SOURCE_BOMBS, net() + "#" * 257 * 1024, error("larger than 256 KiB")),
    Case("60,000 statements", SOURCE_BOMBS, net() + "x = 1\n" * 38_000, PASSES),
    Case(
        "forward calls itself",
        RECURSION,
        net(forward="x = self(x)"),
        error("calls itself without end"),
        levels=EVERYWHERE,
    ),
    Case(
        "the constructor calls itself", RECURSION, net("Net()"), error("calls itself without end")
    ),
    Case(
        "recursion without its limit",
        RECURSION,
        net("import sys\nsys.setrecursionlimit(10**9)\ndef down(): down()\ndown()"),
        error(f"{BUSY}|SIGSEGV|calls itself|more memory"),
        QUICK,
    ),
    Case(
        "a module that contains itself",
        RECURSION,
        net("self.own = nn.ModuleList()\nself.own.append(self)"),
        error("calls itself|recursion"),
    ),
)
