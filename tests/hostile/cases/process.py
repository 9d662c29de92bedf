"""Submissions that end, stop, outlive or signal processes."""

from __future__ import annotations

from tests.hostile.case import EVERYWHERE, PASSES, QUICK, Case, error, net

EXIT = "sys.exit or os._exit at import"
CRASH = "a segmentation fault by ctypes"
ENDLESS = "an endless loop, sleep, input(), breakpoint(), plt.show()"
IGNORES = "ignoring SIGTERM or KeyboardInterrupt, `except BaseException`"
PARENT = "SIGKILL, SIGSTOP or ptrace of the parent"
DAEMON = "a daemon that outlives the run"
HOOK = "an atexit hook or thread that hangs after a good result"
STRANGE_ERROR = "an exception with a hostile __str__ or a million-line traceback"
ENTRIES = (EXIT, CRASH, ENDLESS, IGNORES, PARENT, DAEMON, HOOK, STRANGE_ERROR)

ENDS = "ends the program"
BUSY = "still busy after 1 s and was stopped"


def blocked(attempt: str) -> str:
    """Statements that raise when `attempt` works, and go on when it is refused."""
    return f"import os, signal\ntry:\n    {attempt}\nexcept OSError:\n    pass\nelse:\n    raise RuntimeError('it worked')"


def raises(text: str) -> str:
    """A constructor that raises an exception of its own kind, whose __str__ does what `text` says."""
    return net(
        "raise Strange()",
        top=f"class Strange(Exception):\n    def __str__(self):\n        {text}\n",
    )


DAEMON_TRIES = """
import os, time
try:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(1)
        os._exit(0)
except OSError:
    pass
"""

CASES = (
    Case("sys.exit at the end of the file", EXIT, net(bottom="import sys\nsys.exit(0)"), PASSES),
    Case(
        "sys.exit in the constructor",
        EXIT,
        net("import sys; sys.exit(0)"),
        error(ENDS, line=10),
        levels=EVERYWHERE,
    ),
    Case("exit() in forward", EXIT, net(forward="exit()"), error(ENDS)),
    Case(
        "SystemExit in training mode only",
        EXIT,
        net(forward="if self.training: raise SystemExit(1)"),
        error(ENDS),
    ),
    Case(
        "os._exit(0)", EXIT, net("import os; os._exit(0)"), error("ended the Python process early")
    ),
    Case(
        "os._exit(3)",
        EXIT,
        net("import os; os._exit(3)"),
        error(r"status 3\).*os\._exit\(\)"),
        levels=EVERYWHERE,
    ),
    Case(
        "os._exit in a class body",
        EXIT,
        net(top="class Early:\n    import os\n    os._exit(9)"),
        error("status 9"),
    ),
    Case(
        "os._exit(70), the grader's own",
        EXIT,
        net("import os; os._exit(70)"),
        error("could not be handed over"),
    ),
    Case(
        "a null pointer is read",
        CRASH,
        net("import ctypes; ctypes.string_at(0)"),
        error("SIGSEGV"),
        levels=EVERYWHERE,
    ),
    Case(
        "a null pointer is read in forward",
        CRASH,
        net(forward="import ctypes; ctypes.string_at(0)"),
        error("SIGSEGV"),
    ),
    Case("os.abort", CRASH, net("import os; os.abort()"), error("SIGABRT")),
    Case("SIGKILL to itself", CRASH, net("import os; os.kill(os.getpid(), 9)"), error("SIGKILL")),
    Case(
        "SIGFPE to itself",
        CRASH,
        net("import os, signal; os.kill(os.getpid(), signal.SIGFPE)"),
        error("SIGFPE"),
    ),
    Case("an endless loop", ENDLESS, net("while True: pass"), error(BUSY), QUICK),
    Case(
        "an endless loop in forward", ENDLESS, net(forward="while True: pass"), error(BUSY), QUICK
    ),
    Case("sleep", ENDLESS, net("import time; time.sleep(10**6)"), error(BUSY), QUICK),
    Case(
        "an endless loop at level 1",
        ENDLESS,
        net("while True: pass"),
        error("still busy after 8 s"),
        8,
        levels=(1,),
    ),
    Case("input()", ENDLESS, net("input('your name? ')"), error("EOFError"), levels=EVERYWHERE),
    Case("breakpoint()", ENDLESS, net("breakpoint()"), error("BdbQuit")),
    Case(
        "plt.show()",
        ENDLESS,
        net(top="import matplotlib.pyplot as plt", bottom="plt.plot([1, 2])\nplt.show()"),
        PASSES,
    ),
    Case("waits for a signal", ENDLESS, net("import signal; signal.pause()"), error(BUSY), QUICK),
    Case(
        "waits for a lock",
        ENDLESS,
        net("import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()"),
        error(BUSY),
        QUICK,
    ),
    Case(
        "stops itself",
        ENDLESS,
        net("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"),
        error(BUSY),
        QUICK,
    ),
    Case(
        "ignores SIGTERM",
        IGNORES,
        net("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass"),
        error(BUSY),
        QUICK,
    ),
    Case(
        "catches everything",
        IGNORES,
        net("while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
        error(BUSY),
        QUICK,
    ),
    Case(
        "blocks every signal",
        IGNORES,
        net(
            "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass"
        ),
        error(BUSY),
        QUICK,
    ),
    Case(
        "raises KeyboardInterrupt",
        IGNORES,
        net("raise KeyboardInterrupt"),
        error("KeyboardInterrupt"),
    ),
    Case(
        "raises GeneratorExit in forward",
        IGNORES,
        net(forward="raise GeneratorExit"),
        error("GeneratorExit"),
    ),
    Case(
        "SIGKILL to the parent",
        PARENT,
        net(blocked("os.kill(os.getppid(), signal.SIGKILL)")),
        PASSES,
    ),
    Case(
        "SIGSTOP to the parent",
        PARENT,
        net(blocked("os.kill(os.getppid(), signal.SIGSTOP)")),
        PASSES,
    ),
    Case("SIGKILL to everybody", PARENT, net(blocked("os.kill(-1, signal.SIGKILL)")), PASSES),
    Case(
        "SIGKILL to its group",
        PARENT,
        net(blocked("os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)")),
        PASSES,
    ),
    Case(
        "ptrace of the parent",
        PARENT,
        net(
            "import ctypes, os\nif ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0: raise RuntimeError('attached')"
        ),
        PASSES,
    ),
    Case(
        "the parent's memory",
        PARENT,
        net(blocked("open(f'/proc/{os.getppid()}/mem', 'r+b')")),
        PASSES,
    ),
    Case("a daemon", DAEMON, net(DAEMON_TRIES), PASSES),
    Case(
        "a daemon, and no end", DAEMON, net(DAEMON_TRIES + "while True: pass"), error(BUSY), QUICK
    ),
    Case("a daemon at level 1", DAEMON, net(DAEMON_TRIES), PASSES, levels=(1,)),
    Case(
        "nohup",
        DAEMON,
        net(
            "import subprocess\ntry: subprocess.Popen(['nohup', 'sleep', '1000'])\nexcept OSError: pass"
        ),
        PASSES,
    ),
    Case(
        "an atexit hook",
        HOOK,
        net("import atexit, time; atexit.register(time.sleep, 1000)"),
        PASSES,
    ),
    Case(
        "os._exit replaced",
        HOOK,
        net("import os, time; os._exit = lambda status: time.sleep(1000)"),
        PASSES,
    ),
    Case(
        "a thread",
        HOOK,
        net(
            "import threading, time\ntry: threading.Thread(target=time.sleep, args=(1000,)).start()\nexcept RuntimeError: pass"
        ),
        PASSES,
    ),
    Case(
        "a finaliser",
        HOOK,
        net(
            "Last.kept.append(Last())",
            top="class Last:\n    kept = []\n    def __del__(self):\n        while True: pass\n",
        ),
        PASSES,
    ),
    Case(
        "a finaliser that is called at once",
        HOOK,
        net("Last()", top="class Last:\n    def __del__(self):\n        while True: pass\n"),
        error(BUSY),
        QUICK,
    ),
    Case("__str__ raises", STRANGE_ERROR, raises("raise RuntimeError"), error("raises Strange")),
    Case("__str__ gives no text", STRANGE_ERROR, raises("return 5"), error("raises Strange")),
    Case("__str__ never ends", STRANGE_ERROR, raises("while True: pass"), error(BUSY), QUICK),
    Case(
        "__str__ ends the process", STRANGE_ERROR, raises("import os; os._exit(0)"), error("early")
    ),
    Case(
        "__str__ raises SystemExit",
        STRANGE_ERROR,
        raises("raise SystemExit"),
        error("ends the program"),
    ),
    Case(
        "__str__ is 100 MB long", STRANGE_ERROR, raises("return 'x' * 10**8"), error("Strange: xxx")
    ),
    Case(
        "a million lines",
        STRANGE_ERROR,
        net("raise RuntimeError('line\\n' * 10**6)"),
        error("RuntimeError: line$"),
    ),
    Case(
        "an error that names itself badly",
        STRANGE_ERROR,
        net("raise type('\\x1b[31m\\n::error::', (Exception,), {})('\\x1b]0;title\\x07')"),
        error("title"),
    ),
    Case(
        "a chain of a thousand causes",
        STRANGE_ERROR,
        net(
            "error = None\nfor at in range(1000):\n    new = ValueError(at)\n    new.__cause__ = error\n    error = new\nraise error"
        ),
        error("ValueError: 999"),
    ),
)
