// The network as a shard sees it: one set of watched sockets, asked once per turn. A seam, so that
// a simulator can replace the kernel; EpollNet is the real one. It knows no HTTP.
//
// A Net belongs to one thread. Nothing here blocks but poll(). Sockets are level-triggered: what
// was not read or written is reported again, so a shard may leave work for its next turn.
//
// Stale events: the events of one poll() stay as they are while the shard works through them, so a
// token may speak of a socket that was closed, or even replaced, a moment ago. The owner puts a
// generation into the token and ignores events of an older one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "net/address.h"

namespace stampede::net {

using Socket = int;  // a descriptor, or the simulator's number
constexpr Socket kNoSocket = -1;

enum class Interest : uint8_t { none, read, write, read_write };

// Which sockets a poll tells of first, however many others are ready. Every socket begins as `usual`.
enum class Rank : uint8_t { first, second, usual };

struct Event {
  uint64_t token = 0;
  bool readable = false;  // data, a connection to accept, or the end of the input
  bool writable = false;
  bool half_closed = false;  // the peer sends no more but may still read; only told to whoever is
                             // interested in reading
  bool broken = false;  // reset or wholly closed; told whatever the interest, and again until the
                        // socket is closed
};

struct Io {
  // closed: a read met the end of the input or a reset (after an end, what is owed can still be
  // written); a write met a connection that takes nothing more.
  enum class Status : uint8_t { ok, would_block, closed };
  Status status = Status::would_block;
  size_t bytes = 0;  // moved; > 0 exactly when ok
};

// One of several reads or writes that are done together.
struct Read {
  Socket socket = kNoSocket;
  std::span<char> into;
  Io io;  // filled
};
struct Write {
  Socket socket = kNoSocket;
  std::span<const char> from;
  Io io;  // filled
};

struct Accepted {
  enum class Status : uint8_t {
    accepted,  // `socket` is the caller's
    none,      // nobody waits
    aborted,   // the client left before it was accepted: go on
    shed,  // no descriptor is free; the client was let in by the reserve descriptor and closed: go
           // on
    exhausted,  // no descriptor or memory, and the client still waits: stop watching the listener
                // for a while, for epoll would report it without end
  };
  Status status = Status::none;
  Socket socket = kNoSocket;
  // Accepted without a place of the budget: it or another one is closed at once. With has_spare it may stay all the same, in a
  // descriptor that is kept for a few.
  bool is_beyond = false;
  bool has_spare = false;
};

// What a Net has done since its start; read by its own thread.
struct NetCounters {
  uint64_t polls = 0;
  uint64_t events = 0;
  uint64_t accepted = 0;
  uint64_t accepts_aborted = 0;
  uint64_t accepts_shed = 0;
  uint64_t accepts_exhausted = 0;
  uint64_t reads = 0;
  uint64_t bytes_read = 0;
  uint64_t writes = 0;
  uint64_t bytes_written = 0;
  uint64_t writes_short = 0;  // the peer's window was full: fewer bytes than asked for
};

class Net {
 public:
  virtual ~Net() = default;

  // At most bounds::events_per_turn_max events of usual sockets, and before them some of better
  // rank; valid until the next poll(). wait_ns 0 does not
  // sleep, < 0 sleeps until an event. Returns nothing when the time is over or a signal came.
  virtual std::span<const Event> poll(int64_t wait_ns) = 0;

  // Sleeps until one of a few sockets is readable or the time is over, deaf to all others; what
  // happened is told by the next poll(). For an owner whose other work can wait a moment and is
  // cheaper done together.
  virtual void wait_for(std::span<const Socket> sockets, int64_t wait_ns) = 0;

  // Non-blocking, close-on-exec, without Nagle's delay. Not watched yet.
  virtual Accepted accept(Socket listener) = 0;
  // The same of a connection that another process has accepted and passed on; `is_preferred`: of the listener whose clients
  // get in when all others' places are taken.
  virtual Accepted adopt(Socket socket, bool is_preferred) = 0;

  // Events of `socket` carry `token`. False when the kernel has no room for another watch; nothing
  // changed then.
  [[nodiscard]] virtual bool watch(Socket socket, uint64_t token, Interest interest) = 0;
  virtual void rewatch(Socket socket, uint64_t token, Interest interest) = 0;
  virtual void unwatch(Socket socket) = 0;
  // The socket is watched; its token and interest stay as given here.
  virtual void set_rank(Socket socket, uint64_t token, Interest interest, Rank rank) = 0;

  virtual Io read(Socket socket, std::span<char> into) = 0;
  virtual Io write(Socket socket, std::span<const char> from) = 0;
  // The same for many sockets, each of them once: what a call of the kernel costs can be shared.
  virtual void read_all(std::span<Read> reads) {
    for (Read& one : reads) one.io = read(one.socket, one.into);
  }
  virtual void write_all(std::span<Write> writes) {
    for (Write& one : writes) one.io = write(one.socket, one.from);
  }

  // The peer reads the end after what was written; reading goes on (a lingering close).
  virtual void shut_down_write(Socket socket) = 0;
  // Ends the watch too. What was written is still delivered.
  virtual void close(Socket socket) = 0;
  // Closes with a reset: unsent bytes are dropped, nothing lingers in the kernel.
  virtual void reset(Socket socket) = 0;

  // Accepted sockets that may be open from now on, in all; 0: as many as at the start.
  virtual void limit_connections(uint32_t most) = 0;

  // The other end; the default Address when it has already gone.
  virtual Address peer_of(Socket socket) = 0;

  virtual const NetCounters& counters() const = 0;
};

}  // namespace stampede::net
