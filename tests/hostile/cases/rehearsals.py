"""Submissions whose training attacks the rehearsal of it, or the machine that it runs on."""

from __future__ import annotations

from tests.hostile.case import CANARY, EVERYWHERE, Case, Expected, net
from tests.hostile.rehearsing import (
    BUDGET,
    CLAIMED,
    OUT_OF_TIME,
    WAITS,
    own,
    refused,
    training,
    trains,
    tried,
)

DETECTS = "a training that detects the rehearsal, and behaves otherwise than in truth"
HIDES = "a training hidden behind exec, eval or base64"
ENDLESS = "a training that never ends, or sleeps"
DEAF = "a training that catches the end of its time, or takes the clock away"
FLOODS = "a training that prints or writes without end"
ALLOCATES = "a training that takes memory without end"
STARTS = "a training that starts processes, programs or threads"
REACHES = "a training that opens the network, or files outside"
ENDS = "a training that ends its process, its parent, or leaves hooks behind"
REPLACES = "a training that replaces builtins, torch, json or pydantic"
WRITES = "a training that writes the reply itself"
PROBES = "a training that keeps the prober asking"
ENTRIES = (
    DETECTS,
    HIDES,
    ENDLESS,
    DEAF,
    FLOODS,
    ALLOCATES,
    STARTS,
    REACHES,
    ENDS,
    REPLACES,
    WRITES,
    PROBES,
)

WIDE = "transforms.Compose([transforms.Resize((1000, 1000)), transforms.ToTensor()])"

CASES = (
    Case(
        "it looks for the stand-ins",
        DETECTS,
        trains(
            "seen = 'grader.capture.rehearsal.trace' in __import__('sys').modules",
            epochs="2 if seen else 50",
        ),
        own("2 epochs|2 of"),
        levels=EVERYWHERE,
    ),
    Case(
        "it looks for the GPU that is not there",
        DETECTS,
        trains(
            "seen = torch.cuda.is_available() and 'not here' in torch.cuda.get_device_name()",
            epochs="2 if seen else 50",
        ),
        refused("With a GPU it trains with other epochs"),
    ),
    Case(
        "it times a step",
        DETECTS,
        trains(
            "import time\nbegan = time.perf_counter()\n"
            "for _ in range(100): torch.ones(300, 300) @ torch.ones(300, 300)\n"
            "fast = time.perf_counter() - began < 1e-9",
            epochs="50 if fast else 2",
        ),
        own("2 epochs|2 of"),
    ),
    Case(
        "it looks for its weights to change",
        DETECTS,
        trains(
            epoch="now = model.stem.weight.sum().item()\n"
            "if epoch and now == before: raise SystemExit('a rehearsal')\nbefore = now"
        ),
        refused("ends the program|did not|interrupted|error"),
    ),
    Case(
        "exec of the training",
        HIDES,
        net(bottom=f"exec({training()!r})"),
        own("epochs: 3 epochs of 8 steps"),
        levels=EVERYWHERE,
    ),
    Case(
        "exec of the training in base64",
        HIDES,
        net(
            bottom="import base64\nexec(base64.b64decode("
            f"{__import__('base64').b64encode(training().encode())!r}))"
        ),
        Expected(recipe="assignment", words="epochs: 20 epochs of 8 steps"),
    ),
    Case(
        "a compiled training under another file's name",
        HIDES,
        net(bottom=f"exec(compile({training()!r}, '/etc/passwd', 'exec'))  # .backward("),
        own("epochs: 3 epochs of 8 steps"),
    ),
    Case(
        "an endless loop in the training",
        ENDLESS,
        trains(after="while True: pass"),
        refused(OUT_OF_TIME),
        levels=EVERYWHERE,
        budget=BUDGET,
    ),
    Case(
        "endless epochs",
        ENDLESS,
        trains("import itertools", epochs="10**12"),
        refused("steps of training|walks over loaders|" + OUT_OF_TIME),
        budget=BUDGET,
    ),
    Case(
        "a lock that is taken twice",
        ENDLESS,
        trains("import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()"),
        refused("still busy after"),
        waits=WAITS,
    ),
    Case(
        "a signal that never comes",
        ENDLESS,
        trains("import signal\nsignal.pause()"),
        refused("still busy after"),
        waits=WAITS,
    ),
    Case(
        "one million sleeps",
        ENDLESS,
        trains(step="import time\ntime.sleep(10**6)"),
        own(),
    ),
    Case(
        "another handler of SIGPROF",
        DEAF,
        trains("import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True: pass"),
        refused("processor time"),
        levels=EVERYWHERE,
        budget=BUDGET,
    ),
    Case(
        "the timer set back",
        DEAF,
        trains("import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass"),
        refused("processor time"),
        budget=BUDGET,
    ),
    Case(
        "BaseException swallowed",
        DEAF,
        trains(
            after="while True:\n    try:\n        while True: pass\n    except BaseException: pass"
        ),
        refused("processor time"),
        budget=BUDGET,
    ),
    Case(
        "every clock, signal and limit taken away",
        DEAF,
        trains(
            "import resource, signal\n"
            "for number in range(1, 65):\n"
            "    try: signal.signal(number, signal.SIG_IGN)\n"
            "    except (OSError, ValueError): pass\n"
            "signal.setitimer = signal.signal = lambda *_: None\n"
            "_, most = resource.getrlimit(resource.RLIMIT_CPU)\n"
            "resource.setrlimit(resource.RLIMIT_CPU, (most, most))\n"
            "while True: pass"
        ),
        refused("more memory than there is|processor time"),
        budget=BUDGET,
    ),
    Case(
        "prints without end",
        FLOODS,
        trains(after="while True: print('x' * 1000)"),
        refused(OUT_OF_TIME),
        levels=EVERYWHERE,
        budget=BUDGET,
    ),
    Case(
        "writes to its standard output without end",
        FLOODS,
        trains(after="import os\nwhile True: os.write(1, b'x' * 2**16)"),
        refused("printed more than"),
    ),
    Case(
        "writes files without end",
        FLOODS,
        trains(
            after="import itertools\nfor at in itertools.count():\n"
            "    open(f'file{at}', 'wb').write(bytes(2**20))"
        ),
        refused("wrote more than|OSError|still busy"),
        waits=WAITS,
        budget=5,
    ),
    Case(
        "saves a network in each step",
        FLOODS,
        trains(step="torch.save(model.state_dict(), f'{epoch}.pt')"),
        own(),
    ),
    Case(
        "memory without end",
        ALLOCATES,
        trains("kept = []\nwhile True: kept.append(bytearray(2**26))"),
        refused("MemoryError|more memory|" + OUT_OF_TIME),
    ),
    Case(
        "a tensor of 40 GB",
        ALLOCATES,
        trains("torch.ones(10**10)"),
        refused("RuntimeError|MemoryError"),
    ),
    Case(
        "a list that grows in each step",
        ALLOCATES,
        trains("kept = []", step="kept += [0] * 10**9"),
        refused("MemoryError|more memory|" + OUT_OF_TIME),
        budget=8,
    ),
    Case(
        "images of a thousand by a thousand, two thousand in a batch",
        ALLOCATES,
        trains()
        .replace("transforms.ToTensor()", WIDE)
        .replace("batch_size=128", "batch_size=2048"),
        refused("memory|RuntimeError"),
    ),
    Case(
        "all images in one batch",
        ALLOCATES,
        trains().replace("batch_size=128", "batch_size=60_000"),
        own(),
    ),
    Case(
        "a summary that never ends",
        DEAF,
        trains(
            after="model.named_parameters = lambda **_: (pair for pair in iter(lambda: ('w', torch.ones(1)), 1))"
        ),
        refused("processor time"),
        budget=BUDGET,
    ),
    Case(
        "fork",
        STARTS,
        trains(tried("__import__('os').fork()")),
        own(),
    ),
    Case(
        "a fork without end",
        STARTS,
        trains("import os\nwhile True:\n    try: os.fork()\n    except OSError: break"),
        own(),
    ),
    Case(
        "a thread of the training",
        STARTS,
        trains(
            "import threading, time, _thread\n"
            + tried("_thread.start_new_thread(lambda: [0 for _ in iter(int, 1)], ())")
        ),
        own(),
    ),
    Case(
        "programs by subprocess and os.system",
        STARTS,
        trains(
            "import os, subprocess\nsubprocess.run(['sleep', '1000'])\nos.system('sleep 1000 &')\n"
            "subprocess.Popen(['sleep', '1000'])"
        ),
        own(),
        levels=EVERYWHERE,
    ),
    Case(
        "exec of a program",
        STARTS,
        trains(tried("__import__('os').execv('/bin/sh', ['sh'])")),
        own(),
    ),
    Case(
        "a TCP connection",
        REACHES,
        trains("import socket\n" + tried("socket.create_connection(('127.0.0.1', 22), 1)")),
        own(),
    ),
    Case(
        "a download",
        REACHES,
        trains("import urllib.request\n" + tried("urllib.request.urlopen('http://127.0.0.1:9')")),
        own(),
    ),
    Case(
        "the labels beside it",
        REACHES,
        trains(tried(f"open({CANARY + '/labels'!r}).read()")),
        own(),
    ),
    Case(
        "the labels beside it are overwritten",
        REACHES,
        trains(tried(f"open({CANARY + '/labels'!r}, 'w').write('hostile-mark')")),
        own(),
    ),
    Case(
        "the grader's own code",
        REACHES,
        trains(
            "import grader, pathlib\n"
            + tried("pathlib.Path(grader.__file__).write_text('hostile-mark')")
        ),
        own(),
    ),
    Case(
        "os._exit in the training",
        ENDS,
        trains(after="import os\nos._exit(0)"),
        refused("ended the Python process early"),
        levels=EVERYWHERE,
    ),
    Case(
        "a segmentation fault in the training",
        ENDS,
        trains(after="import ctypes\nctypes.string_at(0)"),
        refused("SIGSEGV"),
    ),
    Case(
        "SIGKILL to the parent of the training",
        ENDS,
        trains("import os\n" + tried("os.kill(os.getppid(), 9)")),
        own(),
    ),
    Case(
        "sys.exit in the middle of the training",
        ENDS,
        trains(epoch="if epoch == 1: raise SystemExit(3)"),
        refused("ends the program|SystemExit"),
    ),
    Case(
        "atexit hooks that hang",
        ENDS,
        trains("import atexit\natexit.register(lambda: [0 for _ in iter(int, 1)])"),
        own(),
    ),
    Case(
        "os._exit replaced in the training",
        ENDS,
        trains("import os, signal\nos._exit = lambda status: signal.pause()"),
        own(),
        levels=EVERYWHERE,
    ),
    Case(
        "a finaliser that hangs in the training",
        ENDS,
        trains(
            "class Last:\n    def __del__(self):\n        while True: pass\nlast = Last()\nlast.me = last"
        ),
        own(),
    ),
    Case(
        "builtins replaced",
        REPLACES,
        trains(
            after="import builtins\n"
            "for name in ('len', 'sum', 'isinstance', 'id', 'sorted', 'open', 'max', 'min'):\n"
            "    setattr(builtins, name, None)"
        ),
        refused("summed up|handed over|ended the Python process"),
        levels=EVERYWHERE,
    ),
    Case(
        "torch replaced, for the network that is graded",
        REPLACES,
        trains(
            after="torch.nn.Conv2d.forward = lambda self, x: x\n"
            "torch.nn.Module.__init__ = None\ntorch.export.export = None"
        ),
        own(),
        levels=EVERYWHERE,
    ),
    Case(
        "json and pydantic replaced",
        REPLACES,
        trains(
            after="import json, pydantic\njson.dumps = json.loads = None\n"
            "pydantic.BaseModel.model_dump_json = lambda self, **_: '{}'"
        ),
        refused(CLAIMED + "|trains nothing"),
    ),
    Case(
        "the summary replaced by an error of its own kind",
        REPLACES,
        trains(
            "from grader.capture.rehearsal import summary\n"
            "class Strange(BaseException):\n    def __str__(self): raise SystemExit\n"
            "def summarise(*_): raise Strange\nsummary.summarise = summarise"
        ),
        refused("summed up"),
    ),
    Case(
        "every module taken out",
        REPLACES,
        trains(after="import sys\nsys.modules.clear()"),
        own(),
    ),
    Case(
        "bytes on the reply's descriptor, in the training",
        WRITES,
        trains("import os\nos.write(4, b'{\"captured\": true}')"),
        refused("wrote over the grader's reply"),
    ),
    Case(
        "a reply of its own, in the training",
        WRITES,
        trains(
            "import os\nfor at in range(3, 30):\n"
            "    try: os.write(at, b'GRADER1\\n' + bytes(56))\n    except OSError: pass\nos._exit(0)"
        ),
        refused("wrote over the grader's reply"),
        levels=EVERYWHERE,
    ),
    Case(
        "a reply that is a network",
        WRITES,
        trains(
            "from grader.sandbox import reply\nreal = reply.pack\n"
            "def pack(parts, nonce):\n    return real([*parts, b'weights', b'weights'], nonce)\n"
            "reply.pack = pack"
        ),
        refused(CLAIMED),
    ),
    Case(
        "it goes on until it is good",
        PROBES,
        trains(
            "import itertools\nbest = 0",
            epochs="10**9",
            epoch="correct = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)\n"
            "if correct / len(images_of) > 0.5: break",
        ),
        refused("could not be found within 5 s of processor time"),
        budget=5,
    ),
    Case(
        "flat results end it never",
        PROBES,
        trains(
            epoch="correct = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)\n"
            "while epoch and correct <= last: pass\nlast = correct",
        ),
        refused("processor time"),
        budget=3,
    ),
    Case(
        "every rehearsal takes almost all of its time and claims none",
        PROBES,
        trains(
            "import resource, time\nfrom grader.program.rehearsed import Rehearsal\n"
            "real = Rehearsal.model_dump_json\n"
            "def dump(self, **_): return real(self.model_copy(update={'cpu_seconds': 1e-9}))\n"
            "Rehearsal.model_dump_json = dump\nsince = time.process_time()",
            epochs=20,
            epoch="correct = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)\n"
            "while time.process_time() - since < 0.8 * (epoch > 0): pass\n"
            "if correct / len(images_of) > 0.994: break",
        ),
        own("stops: at 99.4 % training accuracy"),
        budget=BUDGET,
    ),
    Case(
        "two thousand accuracies to try",
        PROBES,
        trains(
            f"marks = {[80 + at / 100 for at in range(1, 2000)]}",
            epochs=20,
            epoch="correct = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)\n"
            "if correct / len(images_of) > 0.98765: break",
        ),
        own("stops: at 98.8 % training accuracy"),  # of 1,000 images: 988, as 0.98765 asks
        budget=5,
    ),
    Case(
        "other rates in every rehearsal",
        PROBES,
        trains(
            "import os\nseed = int.from_bytes(os.urandom(4), 'big')",
            epoch="for group in optimizer.param_groups: group['lr'] = seed / 2**33",
        ),
        refused("other random numbers, the learning rate came out otherwise"),
    ),
)
