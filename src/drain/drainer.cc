#include "drain/drainer.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/diag.h"
#include "base/probe.h"
#include "base/thread.h"
#include "base/words.h"

namespace stampede::drain {
namespace {

constexpr int kNiceness = 5;

Lsn drained_lsn(const std::optional<orderlog::Position>& position) {
  return position ? position->next_lsn - 1 : 0;
}

Lineage lineage_of(const std::vector<Stream>& streams, std::vector<orderlog::StreamEnd> ended) {
  CHECK(!streams.empty());
  const StreamKey& first = streams.front().key;
  return {.node = first.node,
          .generation = first.generation,
          .shard_count = static_cast<uint32_t>(streams.size()),
          .ended = std::move(ended)};
}

// Of a rebuild: the next record of the snapshot belongs into another transaction.
bool is_full(const Batch& batch, const orderlog::Record& next, size_t records_max) {
  const bool parts_no_order = std::holds_alternative<orderlog::OrderImage>(next);
  return batch.records() >= (parts_no_order ? records_max : 2 * records_max);
}

void add(std::atomic<uint64_t>& counter, uint64_t amount) {
  counter.fetch_add(amount, std::memory_order_relaxed);
}

}  // namespace

Drainer::Drainer(Sink& sink, const ItemNames& names, Clock& clock, std::vector<Stream> streams,
                 std::vector<orderlog::StreamEnd> ended)
    : sink_(sink), clock_(clock), lineage_(lineage_of(streams, std::move(ended))), batch_(names) {
  for (Stream& stream : streams) tails_.push_back({.stream = stream});
}

Drainer::~Drainer() {
  if (thread_.joinable()) stop(0);
}

// ---- Where to begin

Drainer::Finding Drainer::reconcile(bool accepts_loss, Patience patience) {
  accepts_loss_ = accepts_loss;
  Finding finding = resync(patience);
  for (Tail& tail : tails_) tail.is_unproven = finding.agreement == Agreement::unavailable;
  return finding;
}

Drainer::Finding Drainer::resync(Patience patience) {
  const Result<std::vector<StreamPosition>> positions = sink_.positions();
  if (!positions) return {Agreement::unavailable, positions.error().message};
  if (const auto stream = unexplained_stream(*positions, lineage_))
    return {Agreement::contradicts, describe_unexplained(*stream, lineage_)};
  // Before anything is taken from them: what follows counts rows, and lets go of the log in front of them.
  if (const Status durable = sink_.confirm(lineage_.node, patience); !durable)
    return {Agreement::unavailable, durable.error().message};
  for (Tail& tail : tails_) {
    const auto stored = std::ranges::find(*positions, tail.stream.key, &StreamPosition::stream);
    tail.position = stored == (*positions).end() ? std::nullopt : std::optional(stored->position);
  }
  count_unknown_commit();
  kinship_.reset();
  ancestry_ = ancestry_of(*positions, lineage_);
  for (Tail& tail : tails_) {
    const Finding finding = place(tail);
    if (finding.agreement != Agreement::agrees) return finding;
    // The database may have been put back to an earlier state.
    tail.stream.marks->drained.place(drained_lsn(tail.position));
    // Only here: this position was read in a transaction of its own and confirmed, so it is durable
    // without doubt.
    tail.stream.marks->drained_segment.store(tail.position ? tail.position->segment : 0,
                                             std::memory_order_release);
  }
  is_synced_ = has_been_synced_ = true;
  accepts_loss_ = false;
  // Up to the end that recovery found the log was held against the database; what lies behind shows with the next record.
  for (Tail& tail : tails_)
    if (drained_lsn(tail.position) < tail.stream.log_end.next_lsn) tail.is_unproven = false;
  return {};
}

// Behind the end that recovery found lie records that are lost, even where as many have been written since.
bool Drainer::is_beyond_loss(const Tail& tail) const {
  return accepts_loss_ && drained_lsn(tail.position) >= tail.stream.log_end.next_lsn;
}

Drainer::Finding Drainer::place(Tail& tail) {
  if (is_beyond_loss(tail)) return jump_to_end(tail);
  const Result<Comparison> compared = compare(tail.stream, tail.position, ancestry_, batch_);
  if (!compared) return {Agreement::unavailable, compared.error().message};
  const StartCase found = compared->start_case;
  tail.needs_rebuild = found == StartCase::rebuild;
  if (found == StartCase::beginning) tail.stream.source->seek({});
  if (found == StartCase::resume) tail.stream.source->seek(*tail.position);
  if (found == StartCase::outdated) return plan_completion(tail, compared->contradiction);
  if (std::exchange(tail.older, std::nullopt))
    note_gap(tail, "");  // by another, or it is another database
  if (compared->contradiction.empty()) return {};
  if (accepts_loss_) return jump_to_end(tail);
  return {Agreement::contradicts, compared->contradiction};
}

// The records that the database lacks are gone. The newest snapshot has their effect, if the database is of this
// directory at all; otherwise its rows may not be mixed with these, even with --accept-loss.
Drainer::Finding Drainer::plan_completion(Tail& tail, const std::string& how_far) {
  const Result<Kinship> found = kinship();
  if (!found) return {Agreement::unavailable, found.error().message};
  if (found->kin != Kin::own) return {Agreement::contradicts, how_far + ": " + found->why};
  tail.needs_rebuild = true;
  if (tail.older && tail.older->position == tail.position) return {};
  const std::string record = "record " + std::to_string(drained_lsn(tail.position));
  tail.older = Older{.position = tail.position, .end = tail.position ? record : ancestry_.end};
  const std::string line =
      how_far +
      ": it has come back older, and is completed from the newest snapshot; orders that "
      "were forgotten since are not in there, so their rows are missing or stay as they are";
  diag::warning("%s", line.c_str());
  note_gap(tail, line);
  return {};
}

Result<Kinship> Drainer::kinship() {
  if (kinship_) return *kinship_;
  Result<std::vector<KnownOrder>> known = sink_.outermost_orders(lineage_.node, kKinshipOrders);
  if (!known) return known.error();
  std::vector<Stream> streams;
  for (const Tail& tail : tails_) streams.push_back(tail.stream);
  const Result<Kinship> found =
      find_kinship(std::move(*known), streams,
                   ancestry_.is_whole ? lineage_.shard_count : ancestry_.shard_count);
  if (found) kinship_ = *found;
  return found;
}

// The position has moved to where the snapshot ends: all that it has is in the database.
void Drainer::end_completion(Tail& tail) {
  if (!tail.older) return;
  const std::string from = tail.older->end, to = std::to_string(drained_lsn(tail.position));
  tail.older.reset();
  add(stats_.completions, 1);
  const std::string stream = words_of(tail.stream.key);
  diag::notice("%s: the database is completed, and goes on from record %s", stream.c_str(),
               to.c_str());
  note_gap(tail, stream + ": the database had come back older, at " + from +
                     ", and was completed from the snapshot at record " + to +
                     ": rows of orders that were forgotten in between are missing or as of then");
}

void Drainer::note_gap(Tail& tail, const std::string& line) {
  std::lock_guard lock(mutex_);
  tail.gap = line;
}

std::vector<std::string> Drainer::gaps() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> gaps;
  for (const Tail& tail : tails_)
    if (!tail.gap.empty()) gaps.push_back(tail.gap);
  return gaps;
}

Drainer::Finding Drainer::jump_to_end(Tail& tail) {
  batch_.start(tail.stream.key, tail.position);
  batch_.advance(tail.stream.log_end, 0);
  if (const Status written = write(tail); !written)
    return {Agreement::unavailable, written.error().message};
  tail.stream.source->seek(*tail.position);
  return {};
}

void Drainer::count_unknown_commit() {
  if (unknown_commit_ && unknown_commit_->tail->position == unknown_commit_->after) {
    count(*unknown_commit_->tail, unknown_commit_->records, unknown_commit_->rows,
          unknown_commit_->rejected);
    end_completion(*unknown_commit_->tail);
  }
  unknown_commit_.reset();
}

// ---- One batch

Drainer::Step Drainer::step() {
  if (is_fenced()) return Step::blocked;
  const int64_t now_boot_ns = clock_.now().boot_ns;
  if (!is_synced_) {
    if (now_boot_ns < retry_boot_ns_) return Step::blocked;
    const Finding finding = resync(Patience::full);
    if (finding.agreement == Agreement::contradicts &&
        std::ranges::any_of(tails_, &Tail::is_unproven)) {
      const std::lock_guard lock(mutex_);
      contradiction_ = finding.message;
    }
    if (finding.agreement != Agreement::agrees) return block(finding.message);
  }
  for (size_t i = 0; i < tails_.size(); ++i) {
    Tail& tail = tails_[next_tail_];
    next_tail_ = (next_tail_ + 1) % tails_.size();
    if (tail.needs_rebuild) return rebuild(tail);
    if (!is_due(tail, now_boot_ns)) continue;
    if (const Step outcome = drain(tail); outcome != Step::idle) return outcome;
  }
  unblock();
  return Step::idle;
}

bool Drainer::is_due(const Tail& tail, int64_t boot_ns) const {
  const Lsn durable = tail.stream.marks->durable.get();
  const Lsn drained = drained_lsn(tail.position);
  if (durable <= drained) return false;
  return durable - drained >= records_max_ || is_hurried_ || is_stopping() ||
         boot_ns - tail.written_boot_ns >= bounds::drain_gather_ms * kMillisecond;
}

Drainer::Step Drainer::drain(Tail& tail) {
  const int64_t began_boot_ns = clock_.now().boot_ns;
  const Lsn durable = tail.stream.marks->durable.get();
  batch_.start(tail.stream.key, tail.position);
  while (batch_.records() < records_max_) {
    const Result<bool> read = tail.stream.source->read(durable, batch_);
    if (!read) return block(words_of(tail.stream.key) + ": " + read.error().message);
    if (!*read) break;
  }
  if (batch_.records() == 0) return Step::idle;
  CHECK(drained_lsn(batch_.after()) <= durable);
  const Status written = write(tail);
  if (!written) return block(written.error().message);
  measure(began_boot_ns);
  return Step::drained;
}

// For a database that has no position of a stream whose first segments are gone, or lacks a part that is gone: writes the orders
// of the newest snapshot first. After any failure the next attempt begins again; its rows replace those that are there already. An
// order and its payments go into one transaction, so that no reader sees a paid order without its payment.
Drainer::Step Drainer::rebuild(Tail& tail) {
  Source& source = *tail.stream.source;
  batch_.start_rebuild(tail.stream.key, tail.position);
  const Result<std::optional<orderlog::Position>> end =
      source.read_snapshot([&](const orderlog::Record& record) -> Status {
        if (is_full(batch_, record, records_max_)) {
          if (is_out_of_time()) return Error{"stopped while the database was being rebuilt"};
          if (Status written = write(tail); !written) return written;
          batch_.start_rebuild(tail.stream.key, tail.position);
        }
        batch_.add(0, record);
        return Ok{};
      });
  if (!end) return block(words_of(tail.stream.key) + ": " + end.error().message);
  if (!*end)
    return block(words_of(tail.stream.key) +
                 ": the first segments of the order log are gone and there is no " +
                 "snapshot, so a new database cannot be built");
  batch_.advance(**end, 0);
  if (const Status written = write(tail); !written) return block(written.error().message);
  tail.needs_rebuild = false;
  end_completion(tail);
  source.seek(**end);
  return Step::drained;
}

// Writes batch_ and goes on behind it. An error: nothing is known to be written, and resync() must
// come next.
Status Drainer::write(Tail& tail) {
  if (const auto item = batch_.unknown_item())
    return Error{"item " + std::to_string(*item) + " has no code yet"};
  PROBE(drain_write, tail.stream.key.shard, batch_.records(), batch_.rows());
  const Written written =
      sink_.write(batch_, clock_.now().wall_ms(), [this] { return !is_out_of_time(); });
  PROBE(drain_written, tail.stream.key.shard, drained_lsn(batch_.after()), batch_.rows(),
        written.outcome);
  const size_t rows = batch_.rows() - written.rejected;
  fit_records(tail, written);
  if (written.outcome == Outcome::conflict) add(stats_.conflicts, 1);
  if (written.outcome == Outcome::unknown && batch_.after() != batch_.before())
    unknown_commit_ = {.tail = &tail,
                       .after = *batch_.after(),
                       .records = batch_.records(),
                       .rows = rows,
                       .rejected = written.rejected};
  if (written.outcome == Outcome::fenced) {
    diag::error("no more rows go into the database: %s", written.cause.c_str());
    is_fenced_.store(true, std::memory_order_relaxed);
  }
  if (written.outcome != Outcome::done) return Error{written.cause};

  count(tail, batch_.records(), rows, written.rejected);
  // A new segment: resync reads the positions in a transaction of their own and lets the segments
  // before go.
  if (batch_.after() && (!tail.position || tail.position->segment != batch_.after()->segment))
    is_synced_ = false;
  tail.position = batch_.after();
  tail.is_unproven = false;
  tail.written_boot_ns = clock_.now().boot_ns;
  publish(tail, batch_.wall_ns());
  unblock();
  return Ok{};
}

// A database that needs longer for a full transaction than a statement may take gets smaller ones: repeated as it is, none would ever
// end. They grow again slowly, for each that is too large costs that time once more; and not in a rebuild, which would begin anew.
void Drainer::fit_records(const Tail& tail, const Written& written) {
  if (written.is_too_long)
    records_max_ = std::max<size_t>(1, std::min(records_max_, batch_.records()) / 2);
  else if (written.outcome == Outcome::done && batch_.records() >= records_max_ &&
           !tail.needs_rebuild)
    records_max_ =
        std::min(bounds::drain_records_per_transaction, records_max_ + records_max_ / 8 + 1);
}

void Drainer::count(const Tail& tail, size_t records, size_t rows, size_t rejected) {
  add(stats_.transactions, 1);
  add(stats_.records, records);
  add(stats_.rows, rows);
  add(stats_.rejected, rejected);
  if (rejected > 0)
    diag::warning("%s: the database refused %s in the table rejected, with the reasons",
                  words_of(tail.stream.key).c_str(),
                  counted(rejected, "row; it is", "rows; they are").c_str());
}

void Drainer::measure(int64_t began_boot_ns) {
  const int64_t took_ns = clock_.boot_ns() - began_boot_ns;
  stats_.batch_ns.record(static_cast<uint64_t>(took_ns));
  rate_.observe(batch_.rows(), took_ns);
  if (on_rate_) on_rate_(rate_.per_second());
}

void Drainer::publish(const Tail& tail, int64_t wall_ns) {
  tail.stream.marks->drained.raise(drained_lsn(tail.position));
  if (wall_ns != 0) tail.stream.marks->drained_wall_ns.store(wall_ns, std::memory_order_release);
}

bool Drainer::is_drained() const {
  return has_been_synced_ && std::ranges::all_of(tails_, [](const Tail& tail) {
           return !tail.needs_rebuild &&
                  drained_lsn(tail.position) >= tail.stream.marks->durable.get();
         });
}

bool Drainer::drain_now(int64_t patience_ns, const Action& on_turn, const Action& pause) {
  is_hurried_ = true;
  int64_t written_boot_ns = clock_.now().boot_ns;
  while (!is_drained() && !is_fenced()) {
    const size_t records_max = records_max_;
    const Step outcome = step();
    const int64_t now_boot_ns = clock_.now().boot_ns;
    if (outcome == Step::drained || records_max_ < records_max)  // or the next one is smaller
      written_boot_ns = now_boot_ns;
    else if (now_boot_ns - written_boot_ns >= patience_ns)
      break;
    else if (pause)
      pause();
    else
      this->pause();
    if (on_turn) on_turn();
  }
  is_hurried_ = false;
  return is_drained();
}

// ---- Trouble

Drainer::Step Drainer::block(const std::string& cause) {
  is_synced_ = false;
  retry_boot_ns_ = clock_.now().boot_ns + retry_ms_ * kMillisecond;
  add(stats_.retries, 1);
  std::lock_guard lock(mutex_);
  problem_ = cause;
  // A short lock of another program is not worth a line; a problem that outlasts the growing pauses is.
  if (retry_ms_ == bounds::drain_retry_ms_max && !std::exchange(is_warned_, true))
    diag::warning("no rows go into the database, trying again: %s", cause.c_str());
  retry_ms_ = std::min(2 * retry_ms_, bounds::drain_retry_ms_max);
  return Step::blocked;
}

void Drainer::unblock() {
  retry_ms_ = bounds::drain_retry_ms_min;
  std::lock_guard lock(mutex_);
  problem_.clear();
  if (std::exchange(is_warned_, false)) diag::notice("rows go into the database again");
}

std::string Drainer::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

std::string Drainer::contradiction() const {
  const std::lock_guard lock(mutex_);
  return contradiction_;
}

// ---- The thread

void Drainer::set_on_rate(std::function<void(uint32_t)> on_rate) {
  on_rate_ = std::move(on_rate);
  on_rate_(rate_.per_second());
}

void Drainer::start() {
  CHECK(!thread_.joinable());
  stop_boot_ns_.store(kNever, std::memory_order_relaxed);
  thread_ = start_thread("the drainer", [this] { run(); });
}

void Drainer::run() {
  pthread_setname_np(pthread_self(), "drainer");
  // Where there are no more CPUs than shards, rows wait and not buyers. (In Linux the niceness is the thread's own.)
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  while (!is_out_of_time() && !is_fenced()) {
    const bool is_last_round = is_stopping();
    if (step() == Step::drained) continue;
    if (is_last_round && is_drained()) return;
    pause();
  }
}

void Drainer::pause() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(bounds::drain_gather_ms),
                 [this] { return is_woken_; });
  is_woken_ = false;
}

void Drainer::wake() {
  std::lock_guard lock(mutex_);
  is_woken_ = true;
  wake_.notify_one();
}

bool Drainer::stop(int64_t deadline_boot_ns) {
  if (thread_.joinable()) {
    stop_boot_ns_.store(deadline_boot_ns, std::memory_order_relaxed);
    wake();
    thread_.join();
  }
  return is_drained();
}

}  // namespace stampede::drain
