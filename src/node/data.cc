#include "node/data.h"

#include <algorithm>
#include <filesystem>

#include "base/time_text.h"
#include "orderlog/verification.h"

namespace stampede::node {
namespace {

using orderlog::RecoveryOutcome;

constexpr uint32_t kOrdersAtFirst =
    4'000'000;  // room for as many, where nobody says how many there are

bool is_damaged(const RestoredStream& stream) {
  return stream.report.outcome == RecoveryOutcome::damaged;
}

// A stream whose log ends before what a witness has seen of it.
bool is_rolled_back(const RestoredStream& stream, const std::vector<orderlog::Witness>& witnesses) {
  return std::ranges::any_of(witnesses, [&](const orderlog::Witness& witness) {
    return witness.lsn > stream.report.last_lsn;
  });
}

// A change of the number of shards that did not get to its end leaves the next generation half made.
bool has_next_generation(const std::string& dir, const orderlog::Manifest& manifest) {
  orderlog::Manifest next = manifest;
  ++next.generation;
  std::error_code absent;
  return std::filesystem::exists(orderlog::stream_files(dir, next, 0).dir, absent);
}

}  // namespace

// ---- open

MayEnd Data::lock() {
  if (use_ == Use::reading || use_ == Use::looking) return std::nullopt;
  orderlog::LockAttempt attempt = orderlog::lock_directory(dir_);
  if (!attempt.lock)
    return ending(attempt.is_in_use   ? kExitDirInUse
                  : attempt.is_damage ? kExitLogDamaged
                                      : kExitFailure,
                  attempt.message);
  lock_ = std::move(attempt.lock);
  return std::nullopt;
}

MayEnd Data::open_to_serve(const FreshData& fresh, Findings& findings) {
  CHECK(use_ == Use::serving || use_ == Use::looking);
  if (MayEnd end = lock()) return end;
  const Result<std::optional<orderlog::Manifest>> manifest = orderlog::read_manifest(dir_);
  if (!manifest && manifest.error().is_damage) {
    findings.evidence.manifest = ManifestState::damaged;
    findings.say(Reason::manifest_damaged, manifest.error().message);
    return std::nullopt;
  }
  if (!manifest) {
    findings.evidence.directory = Directory::another_machine;
    findings.say(Reason::another_machine, manifest.error().message);
    return std::nullopt;
  }
  is_fresh_ = !manifest->has_value();
  if (is_fresh_) {
    findings.evidence.manifest = ManifestState::missing;
    const Status empty = orderlog::check_new(dir_);
    if (!empty && !empty.error().is_damage) return ending(empty.error());
    if (empty) findings.evidence.directory = Directory::fresh;
    if (!empty) findings.say(Reason::manifest_missing, empty.error().message);
    manifest_ = orderlog::new_manifest(fresh.node, fresh.shard_count, fresh.segment_bytes);
    return std::nullopt;
  }
  manifest_ = **manifest;
  if (has_next_generation(dir_, manifest_)) findings.evidence.directory = Directory::half_reshard;
  if (manifest_.is_loss_pending) {
    findings.evidence.directory = Directory::after_loss;
    findings.say(Reason::loss_pending, "a loss that an earlier start accepted");
    if (manifest_.copied_ms != 0)
      findings.lost.push_back("what was acknowledged since " +
                              std::string(TimeText(manifest_.copied_ms).view()) +
                              ", when this copy of the data directory was made");
  }
  if (manifest_.node == fresh.node) return look_at_streams(findings);
  const std::string owner = std::to_string(manifest_.node);
  findings.evidence.directory = Directory::another_node;
  findings.say(Reason::another_node, dir_ + " belongs to node " + owner + ": start with --node " +
                                         owner + ", or give another --data");
  return std::nullopt;
}

MayEnd Data::look_at_streams(Findings& findings) const {
  const Status named = orderlog::check_streams(dir_, manifest_);
  if (named) return std::nullopt;
  if (!named.error().is_damage) return ending(named.error());
  findings.evidence.log = Log::unnamed;
  findings.say(Reason::streams_unnamed, named.error().message);
  return std::nullopt;
}

MayEnd Data::open() {
  CHECK(use_ == Use::offline || use_ == Use::reading);
  std::error_code absent;
  // Before locking, which would make the directory.
  if (!std::filesystem::exists(dir_, absent))
    return ending(kExitUsage, "--data " + dir_ + ": there is no such directory");
  if (MayEnd end = lock()) return end;
  const Result<std::optional<orderlog::Manifest>> manifest = orderlog::read_manifest(dir_, true);
  if (!manifest) return ending(manifest.error(), kExitUsage);
  if (!*manifest)
    return ending(kExitUsage, "--data " + dir_ + ": there is no order log, as it has no manifest");
  manifest_ = **manifest;
  // Beside its server they may be changing; nothing is written there.
  if (use_ == Use::reading) return std::nullopt;
  if (const Status named = orderlog::check_streams(dir_, manifest_); !named)
    return ending(named.error());
  return std::nullopt;
}

// ---- restore

RestoreInput Data::input_of(uint32_t stream, const Restoring& how) const {
  return {
      .files = files(stream),
      .hash_key = manifest_.hash_key,
      .orders_max = how.order_cells,
      .boot_id = boot_id_,
      .wall_ns = machine_.clock().now().wall_ns,
      .witnesses = how.witnesses.empty() ? std::vector<orderlog::Witness>{} : how.witnesses[stream],
      .is_read_only = true,
      .accepts_loss = how.accepts_loss,
      .progress = &progress_};
}

// Beside the server that writes: what was under way when it was read, and whose successor was there a moment later, looks like
// damage.
Result<RestoredStream> Data::restore_one(uint32_t stream, const Restoring& how) const {
  Result<RestoredStream> restored = restore_as_read(stream, how);
  const bool may_be_written = use_ == Use::looking || use_ == Use::reading;
  if (restored && may_be_written &&
      restored->report.outcome == orderlog::RecoveryOutcome::damaged &&
      orderlog::is_sound_by_now(files(stream), restored->report.end))
    restored->report.outcome = orderlog::RecoveryOutcome::clean;
  return restored;
}

Result<RestoredStream> Data::restore_as_read(uint32_t stream, const Restoring& how) const {
  RestoreInput input = input_of(stream, how);
  // How far the log reached is what is lost.
  if (how.accepts_loss) input.files.known.last_lsn = input.files.known.chain = 0;
  if (is_fresh_)
    return RestoredStream{
        .state = std::make_unique<stock::StreamState>(input.hash_key, input.orders_max)};
  if (input.orders_max != 0) return restore_stream(input);
  for (uint64_t cells = kOrdersAtFirst;; cells *= 8) {
    input.orders_max =
        static_cast<uint32_t>(std::min<uint64_t>(cells, bounds::orders_per_shard_max));
    Result<RestoredStream> restored = restore_stream(input);
    const bool is_too_small = restored && restored->state->has_overflowed();
    if (!is_too_small || input.orders_max == bounds::orders_per_shard_max) return restored;
  }
}

MayEnd Data::restore_all(const Restoring& how) {
  std::vector<Result<RestoredStream>> restored;
  for (uint32_t i = 0; i < stream_count(); ++i) restored.emplace_back(Error{});
  std::vector<std::function<void()>> tasks;
  for (uint32_t i = 0; i < stream_count(); ++i)
    tasks.emplace_back([&, i] { restored[i] = restore_one(i, how); });
  progress_.begin("reading the order log");
  machine_.run_all(tasks);
  progress_.end();
  streams_.clear();
  for (Result<RestoredStream>& stream : restored) {
    if (!stream) return ending(stream.error());
    if (stream->state->has_overflowed())
      return ending(kExitUsage,
                    "the data directory holds more orders than there is room for: give a higher "
                    "--orders-max");
    streams_.push_back(std::move(*stream));
  }
  return std::nullopt;
}

void Data::judge_streams(const Restoring& how, Findings& findings) const {
  Log& log = findings.evidence.log;
  for (uint32_t i = 0; i < stream_count(); ++i) {
    const RestoredStream& stream = streams_[i];
    findings.evidence.snapshot = std::max(findings.evidence.snapshot, stream.snapshot);
    if (stream.snapshot == SnapshotState::lost)
      findings.say(Reason::snapshot_lost, stream.report.message);
    if (stream.report.outcome == RecoveryOutcome::torn) log = std::max(log, Log::torn);
    if (!is_damaged(stream)) continue;
    const bool is_short = !how.witnesses.empty() && is_rolled_back(stream, how.witnesses[i]);
    log = std::max(log, is_short ? Log::rolled_back : Log::damaged);
    findings.say(is_short ? Reason::log_rolled_back : Reason::log_damaged, stream.report.message);
  }
}

// A loss that is accepted can be cut off, or it is none that an operator could accept.
MayEnd Data::restore_damaged(const Restoring& how, Findings& findings) {
  Restoring with_loss = how;
  with_loss.accepts_loss = true;
  for (uint32_t i = 0; i < stream_count(); ++i) {
    if (!is_damaged(streams_[i])) continue;
    findings.lost.push_back(streams_[i].report.message);
    Result<RestoredStream> restored = restore_one(i, with_loss);
    if (!restored) return ending(restored.error());
    streams_[i] = std::move(*restored);
    if (!is_damaged(streams_[i])) continue;
    findings.evidence.log = Log::impossible;
    findings.say(Reason::log_impossible, streams_[i].report.message);
  }
  return std::nullopt;
}

MayEnd Data::restore(const Restoring& how, Findings& findings) {
  Restoring as_it_is = how;
  as_it_is.accepts_loss = false;
  if (MayEnd end = restore_all(as_it_is)) return end;
  judge_streams(how, findings);
  if (how.accepts_loss)
    if (MayEnd end = restore_damaged(how, findings)) return end;
  const bool is_whole = std::ranges::none_of(streams_, is_damaged);
  if (const Status fits = is_whole ? check_together(streams_) : Status(Ok{}); !fits) {
    findings.evidence.log = Log::impossible;
    findings.say(Reason::log_impossible, fits.error().message);
  }
  return std::nullopt;
}

MayEnd Data::restore(uint32_t order_cells) {
  if (MayEnd end = restore_all({.order_cells = order_cells})) return end;
  for (const RestoredStream& stream : streams_)
    if (is_damaged(stream)) return ending(kExitLogDamaged, stream.report.message);
  if (const Status fits = check_together(streams_); !fits) return ending(fits.error());
  return std::nullopt;
}

// ---- write

Status Data::begin(const Beginning& beginning) {
  CHECK(lock_.has_value());
  if (!is_fresh_ && !beginning.raises_boot && !beginning.has_lost) return Ok{};
  if (beginning.raises_boot) ++manifest_.boot;
  if (beginning.has_lost) {
    manifest_.format_version = orderlog::kManifestVersion;
    manifest_.is_loss_pending = true;
    for (uint32_t i = 0; i < stream_count(); ++i) {
      orderlog::KnownStream& known = manifest_.streams[i];
      known.last_lsn = known.chain = 0;
      known.cut_lsn = streams_[i].report.last_lsn;
      known.cut_floor = beginning.sequence_floor;
    }
  }
  is_fresh_ = false;
  return orderlog::write_manifest(dir_, manifest_);
}

Status Data::note_log_ends(const std::vector<orderlog::Position>& ends, bool is_at_rest) {
  CHECK(ends.size() == stream_count());
  manifest_.is_at_rest = is_at_rest;
  manifest_.format_version = orderlog::kManifestVersion;
  for (uint32_t i = 0; i < stream_count(); ++i) {
    orderlog::KnownStream& known = manifest_.streams[i];
    orderlog::note_log_end(known, ends[i]);
    if (!known.begins_with_snapshot || known.first_snapshot_sum != 0) continue;
    // Version 1 did not say which snapshot that is.
    const Result<orderlog::SnapshotFacts> first = orderlog::read_snapshot_facts(files(i), 1);
    if (first) known.first_snapshot_sum = first->sum;
  }
  return orderlog::write_manifest(dir_, manifest_);
}

void Data::go_on_from(const std::vector<orderlog::Position>& ends) {
  CHECK(ends.size() == stream_count());
  for (uint32_t i = 0; i < stream_count(); ++i) {
    orderlog::RecoveryReport& report = streams_[i].report;
    report.end = ends[i];
    report.last_lsn = ends[i].next_lsn - 1;
    report.outcome = orderlog::RecoveryOutcome::clean;
  }
}

Status Data::end_loss() {
  manifest_.copied_ms = 0;
  if (!std::exchange(manifest_.is_loss_pending, false)) return Ok{};
  return orderlog::write_manifest(dir_, manifest_);
}

uint64_t Data::sequence_max() const {
  uint64_t highest = 0;
  for (const RestoredStream& stream : streams_)
    highest = std::max(highest, stream.state->sequence_max());
  return highest;
}

Status Data::repair() {
  CHECK(lock_.has_value());
  if (std::exchange(manifest_.is_at_rest, false))
    if (Status written = orderlog::write_manifest(dir_, manifest_); !written) return written;
  for (uint32_t i = 0; i < stream_count(); ++i) {
    const orderlog::RecoveryInput input{
        .files = files(i), .start = streams_[i].start, .wall_ns = machine_.clock().now().wall_ns};
    if (Status repaired = orderlog::repair(input, streams_[i].report); !repaired) return repaired;
  }
  return Ok{};
}

Status Data::switch_to(const orderlog::Manifest& next) {
  CHECK(lock_.has_value());
  if (Status written = orderlog::write_manifest(dir_, next); !written) return written;
  manifest_ = next;
  streams_.clear();
  return Ok{};
}

}  // namespace stampede::node
