"""Where the threads of a step wait for each other.

The last one to come sets the counter back and moves the generation on, which the others watch: for
a moment by looking, then they sleep between looks. A thread that only looked, or gave up its turn,
would keep the others of a busy machine from running, which it waits for. Between two barriers, no
thread may write what another reads.
"""

from __future__ import annotations

LOOKS = 40_000
"""Before a thread sleeps: some 50 microseconds, which is less than a sleep takes."""
SLEEP = 20
"""Microseconds between looks from then on."""

BARRIER = f"""
define void @barrier(ptr %counter, i64 %threads, ptr %give_way) #0 {{
entry:
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %done, label %arrive
arrive:
  %generation = getelementptr i8, ptr %counter, i64 64
  %mine = load atomic i32, ptr %generation acquire, align 4
  %before = atomicrmw add ptr %counter, i32 1 acq_rel
  %arrived = add i32 %before, 1
  %all = trunc i64 %threads to i32
  %last = icmp eq i32 %arrived, %all
  br i1 %last, label %release, label %look
release:
  store atomic i32 0, ptr %counter monotonic, align 4
  %next = add i32 %mine, 1
  store atomic i32 %next, ptr %generation release, align 4
  br label %done
look:
  %looks = phi i32 [0, %arrive], [%more, %again]
  %now = load atomic i32, ptr %generation acquire, align 4
  %same = icmp eq i32 %now, %mine
  br i1 %same, label %wait, label %done
wait:
  %more = add i32 %looks, 1
  %long = icmp ugt i32 %more, {LOOKS}
  br i1 %long, label %sleep, label %again
sleep:
  %ignored = call i32 %give_way(i32 {SLEEP})
  br label %again
again:
  br label %look
done:
  ret void
}}
"""
