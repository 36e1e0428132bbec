// Replays the order logs into the database, exactly once, on one thread of its own.
//
// Never on the path of an order: it only reads records that the shards have made durable, and how far it
// lags is a metric (Marks) and, past a bound, a reason for the door to refuse orders. It takes the streams
// in turn, up to 8,192 records in a transaction and what is left of the log batch that reaches this number; a smaller transaction waits 100 ms for company,
// because each costs an fsync (0.4 ms here) however many rows it carries.
//
//   resync: read the database's positions, confirm them ──► where does each stream begin (start_case.h)? seek
//      ▲                                                     │
//      │ any outcome but done; a new segment                 ▼
//      └──────────────── step: read a batch, write its rows and position ──► publish drained
//
// A database that lacks records which the log no longer has gets the newest snapshot first, rows replacing rows: one
// without a position, and one that came back older (restored, or a standby that had lagged) and has shown to be of this
// directory (kinship.h). That takes many transactions; the last one moves the position, so one that is cut off begins
// again. Orders that were forgotten since cannot be brought back: gaps() names the stretch.
//
// Every failure takes the one way back through resync, after a pause: the positions in the database
// are the only memory of the rows that were written, so an unknown commit, a second drainer, a lost connection
// and a restart are all the same case. `drained_segment` is published only by resync, so a segment
// may be used again only when a transaction of its own has seen the position behind it, and the database has confirmed that
// what it shows is durable: one that was started anew shows commits that its standby does not have.
//
// All methods belong to one thread until start(); afterwards only wake(), stats(), problem(), gaps(), contradiction(),
// is_fenced() and stop() may be called, by any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "drain/batch.h"
#include "drain/comparison.h"
#include "drain/drain_rate.h"
#include "drain/kinship.h"
#include "drain/sink.h"
#include "drain/source.h"
#include "orderlog/marks.h"

namespace stampede::drain {

// Stored by the drainer's thread (relaxed), read by metrics.
struct DrainStats {
  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> rows{0};  // inserted or changed, without the rejected ones
  std::atomic<uint64_t> transactions{0};
  std::atomic<uint64_t> rejected{0};
  std::atomic<uint64_t> retries{0};    // attempts that wrote nothing or whose commit was unknown
  std::atomic<uint64_t> conflicts{0};  // of them: another drainer was there
  std::atomic<uint64_t> completions{
      0};              // of streams whose database had come back older than the log keeps
  Histogram batch_ns;  // reading the records of a transaction and writing their rows
};

class Drainer {
 public:
  // `ended`: the streams before them (Manifest::ended).
  Drainer(Sink& sink, const ItemNames& names, Clock& clock, std::vector<Stream> streams,
          std::vector<orderlog::StreamEnd> ended = {});
  ~Drainer();  // stops at once
  Drainer(const Drainer&) = delete;
  Drainer& operator=(const Drainer&) = delete;

  // Holds database and logs against each other, before the sale begins. `unavailable`: the database
  // does not answer now; the drainer goes on asking. `contradicts`: they are not of one history
  // (exit 78).
  enum class Agreement : uint8_t { agrees, unavailable, contradicts };
  struct Finding {
    Agreement agreement = Agreement::agrees;
    std::string message;  // one line, unless they agree
  };
  // With `accepts_loss`, which an operator has to give, the position of a stream that is ahead
  // of its log or foreign to it jumps to the log's end. Rows stay as they are. It holds until all positions have been taken once:
  // in a database that is away at this moment they jump later.
  // A database that does not confirm what was read within `patience` is `unavailable`, and nothing is believed before it has.
  [[nodiscard]] Finding reconcile(bool accepts_loss = false, Patience patience = Patience::full);

  // One transaction of the next stream that is due.
  enum class Step : uint8_t {
    drained,  // something was written
    idle,     // nothing is due
    blocked,  // the last attempt failed; problem() has the reason
  };
  Step step();

  // Instead of start(): steps in the calling thread until all is drained, or until
  // nothing could be written for `patience_ns` (false; problem() has the reason). `on_turn` is called
  // after each step, `pause` when there is nothing to do now; without it the thread sleeps.
  using Action = std::function<void()>;
  bool drain_now(int64_t patience_ns, const Action& on_turn = {}, const Action& pause = {});

  // Every durable record is in the database, and the snapshots' part of earlier ones. Never true before the positions of all
  // streams were read there.
  [[nodiscard]] bool is_drained() const;

  // Called by the drainer's thread with the new reservations a second that the database takes (drain_rate.h), at once and
  // behind each transaction. Before start().
  void set_on_rate(std::function<void(uint32_t per_second)> on_rate);

  void start();
  // Looks for work at once instead of within 100 ms.
  void wake();
  // Drains all durable records, until `deadline_boot_ns` at the latest, and ends the thread. True:
  // nothing was left.
  bool stop(int64_t deadline_boot_ns);

  [[nodiscard]] const DrainStats& stats() const { return stats_; }
  // The node was retired from its cluster: nothing of it is written any more, and its end is exit 78.
  [[nodiscard]] bool is_fenced() const { return is_fenced_.load(std::memory_order_relaxed); }
  // The database was away at the start, and what it answered first contradicts the log: a start that had known it would have been
  // refused, and its end is exit 78. The line; empty: it is not so.
  [[nodiscard]] std::string contradiction() const;
  // Why rows are not being written now; empty when they are.
  [[nodiscard]] std::string problem() const;
  // A line for each stream whose database came back older since this began: the records that it may lack for good.
  [[nodiscard]] std::vector<std::string> gaps() const;

 private:
  // Where the database had come back.
  struct Older {
    std::optional<orderlog::Position> position;
    std::string end;  // for messages
  };
  struct Tail {
    Stream stream;
    std::optional<orderlog::Position> position;  // in the database
    bool needs_rebuild = false;
    bool is_unproven = false;  // it was away at the start, and has proved nothing of this log yet
    int64_t written_boot_ns = 0;  // when the last transaction of this stream ended
    std::optional<Older> older;   // none: it is not being completed
    std::string gap;              // guarded by mutex_
  };
  // A commit whose answer was lost: if its position turns up in the database, its rows count.
  struct UnknownCommit {
    Tail* tail;
    orderlog::Position after;
    size_t records, rows, rejected;
  };

  Finding resync(Patience patience);
  [[nodiscard]] bool is_beyond_loss(const Tail& tail) const;
  Finding place(Tail& tail);
  Finding jump_to_end(Tail& tail);
  Finding plan_completion(Tail& tail, const std::string& how_far);
  Result<Kinship> kinship();
  void end_completion(Tail& tail);
  void note_gap(Tail& tail, const std::string& line);
  void count_unknown_commit();

  bool is_due(const Tail& tail, int64_t boot_ns) const;
  Step drain(Tail& tail);
  Step rebuild(Tail& tail);
  Status write(Tail& tail);
  void fit_records(const Tail& tail, const Written& written);
  void count(const Tail& tail, size_t records, size_t rows, size_t rejected);
  void publish(const Tail& tail, int64_t wall_ns);
  void measure(int64_t began_boot_ns);

  Step block(const std::string& cause);
  void unblock();
  bool is_stopping() const { return stop_boot_ns_.load(std::memory_order_relaxed) != kNever; }
  bool is_out_of_time() const {
    return clock_.now().boot_ns >= stop_boot_ns_.load(std::memory_order_relaxed);
  }
  void run();
  void pause();

  static constexpr int64_t kNever = INT64_MAX;

  Sink& sink_;
  Clock& clock_;
  const Lineage lineage_;
  std::vector<Tail> tails_;
  size_t next_tail_ = 0;
  size_t records_max_ = bounds::drain_records_per_transaction;  // of one transaction, by now
  Batch batch_;
  bool is_synced_ = false;
  bool accepts_loss_ = false;     // until it is synced
  bool has_been_synced_ = false;  // once at least
  bool is_hurried_ = false;       // small transactions do not wait
  std::optional<UnknownCommit> unknown_commit_;
  std::optional<Kinship>
      kinship_;        // of the database as of the last resync; none: it was not asked for
  Ancestry ancestry_;  // the same
  int64_t retry_boot_ns_ = 0;
  int64_t retry_ms_ = bounds::drain_retry_ms_min;

  DrainRate rate_;
  std::function<void(uint32_t)> on_rate_;
  DrainStats stats_;
  std::atomic<bool> is_fenced_{false};  // stored by the drainer's thread
  mutable std::mutex mutex_;            // guards the next four, and gaps
  std::string problem_, contradiction_;
  bool is_warned_ = false;  // of the problem, so that it is not warned of again
  bool is_woken_ = false;
  std::condition_variable wake_;

  std::thread thread_;
  std::atomic<int64_t> stop_boot_ns_{kNever};  // the deadline; stored by stop(), read by the thread
};

}  // namespace stampede::drain
