// Which of the nodes' eventfds have been rung and not been drained. Every write to them and every read of them passes the
// simulator's file system, so a net need not ask the kernel, which took a sixth of the simulator's time.
#pragma once

namespace stampede::sim {

// From now on the descriptor is one of them. What was rung before is known.
void begin_hearing(int fd);
void end_hearing(int fd);
[[nodiscard]] bool is_rung(int fd);

// By the calls themselves.
void note_ring(int fd);
void note_drain(int fd);

}  // namespace stampede::sim
