// What the drain tests share: a scratch directory, records by one call each, a log in memory, a
// clock that is set.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "drain/batch.h"
#include "drain/database.h"
#include "drain/source.h"
#include "orderlog/marks.h"
#include "orderlog/record.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::drain::testing {

// The marks of a stream whose log is durable up to here, whatever they were: marks themselves only grow.
inline void begin_at(orderlog::Marks& marks, Lsn durable) {
  std::destroy_at(&marks);
  std::construct_at(&marks);
  marks.start_at(durable);
}

// In memory where that can be: a killed process loses nothing there either, and fsync costs
// nothing.
class ScratchDir {
 public:
  ScratchDir() {
    const std::filesystem::path memory = "/dev/shm";
    const bool has_memory = access(memory.c_str(), W_OK | X_OK) == 0;
    const auto parent = has_memory ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "stampede-drain-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~ScratchDir() { std::filesystem::remove_all(path_); }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class SetClock final : public Clock {
 public:
  Moment now() override { return moment; }
  void pass_ms(int64_t ms) {
    moment.wall_ns += ms * kMillisecond, moment.boot_ns += ms * kMillisecond;
  }
  Moment moment{.wall_ns = 1'796'083'200'000 * kMillisecond, .boot_ns = kSecond};
};

constexpr int64_t kStartMs = 1'796'083'200'000;  // 2026-12-01T00:00:00.000Z
constexpr ItemId kTicket = 0;
constexpr Currency kCny = {'C', 'N', 'Y'};

inline OrderId order_id(uint64_t number, uint32_t shard = 0) {
  return OrderId::make(0, number, shard);
}

// Records about order `number`, at `number` milliseconds after the start for a reservation.
inline orderlog::Reserve reserve(uint64_t number, std::string_view user = "u1",
                                 Quantity quantity = 1) {
  const int64_t created_ms = kStartMs + static_cast<int64_t>(number);
  return {.order = order_id(number),
          .item = kTicket,
          .quantity = quantity,
          .amount = 55'350 * quantity,
          .currency = kCny,
          .created_ms = created_ms,
          .pay_before_ms = created_ms + 1'800'000,
          .user = user,
          .key = ""};
}
inline orderlog::Payment payment(orderlog::RecordType outcome, uint64_t number,
                                 std::string_view payment_id, Money amount = 55'350) {
  return {.outcome = outcome,
          .order = order_id(number),
          .amount = amount,
          .currency = kCny,
          .received_ms = kStartMs + 5'000,
          .payment_id = payment_id};
}
inline orderlog::Payment paid(uint64_t number, std::string_view payment_id = "p1") {
  return payment(orderlog::RecordType::paid, number, payment_id);
}
inline orderlog::Cancel cancel(uint64_t number) {
  return {.order = order_id(number), .at_ms = kStartMs + 6'000};
}
inline orderlog::Expire expire(uint64_t number) {
  return {.order = order_id(number), .at_ms = kStartMs + 7'000};
}

// A log whose batches are made by append(); texts in its records must outlive it.
class MemoryLog final : public Source {
 public:
  explicit MemoryLog(uint64_t seed = 0) : seed_(seed) {}

  void append(std::vector<orderlog::Record> records, bool starts_segment = false) {
    const orderlog::Position begin = end();
    orderlog::Position next = begin;
    next.segment += starts_segment;
    next.offset = starts_segment ? 0 : begin.offset + 4096;
    next.batch_seq += 1;
    next.next_lsn += records.size();
    next.prev_chain = mix(begin.prev_chain + next.next_lsn + seed_ + 1);
    batches_.push_back({begin, next, std::move(records)});
  }
  orderlog::Position end() const {
    return batches_.empty() ? orderlog::Position{} : batches_.back().after;
  }
  Lsn last_lsn() const { return end().next_lsn - 1; }

  // Where a segment begins, as a snapshot of those below it has it.
  orderlog::Position begin_of(uint32_t segment) const {
    for (const LogBatch& log : batches_) {
      if (log.after.segment != segment) continue;
      orderlog::Position begin = log.before;
      begin.segment = segment, begin.offset = 0;
      return begin;
    }
    FAIL("there is no such segment");
    return {};
  }
  // No more log batches than these go into one transaction.
  void set_batches_per_transaction(size_t batches) { pace_ = batches; }
  // The segments below are gone.
  void recycle_below(uint32_t segment) { oldest_segment_ = segment; }
  void set_snapshot(std::vector<orderlog::Record> records, const orderlog::Position& position) {
    snapshot_ = Snapshot{std::move(records), position};
  }

  Result<bool> has_beginning() override { return oldest_segment_ == 1; }
  Result<uint32_t> oldest_segment() override { return oldest_segment_; }
  void seek(const orderlog::Position& position) override {
    position_ = position;
    read_in_a_row_ = 0;
  }
  Result<bool> read(Lsn up_to, drain::Batch& batch) override {
    for (const LogBatch& log : batches_) {
      if (log.before.batch_seq != position_.batch_seq) continue;
      if (log.before.prev_chain != position_.prev_chain) return Error{"the chain is broken", true};
      if (log.after.next_lsn > up_to + 1) return false;
      if (read_in_a_row_ == pace_) return read_in_a_row_ = 0, false;
      ++read_in_a_row_;
      for (size_t i = 0; i < log.records.size(); ++i)
        batch.add(log.before.next_lsn + i, log.records[i]);
      batch.advance(log.after, kStartMs * kMillisecond);
      position_ = log.after;
      return true;
    }
    return false;
  }
  Result<std::optional<orderlog::Position>> read_snapshot(const Visit& visit) override {
    using Answer = std::optional<orderlog::Position>;
    if (!snapshot_) return Answer();
    for (const orderlog::Record& record : snapshot_->records)
      if (Status status = visit(record); !status) return status.error();
    return Answer(snapshot_->position);
  }

 private:
  struct LogBatch {
    orderlog::Position before, after;
    std::vector<orderlog::Record> records;
  };
  struct Snapshot {
    std::vector<orderlog::Record> records;
    orderlog::Position position;
  };
  uint64_t seed_;
  std::vector<LogBatch> batches_;
  orderlog::Position position_;
  uint32_t oldest_segment_ = 1;
  size_t pace_ = SIZE_MAX, read_in_a_row_ = 0;
  std::optional<Snapshot> snapshot_;
};

inline void set_ticket(ItemNames& names) {
  names.set(kTicket, "ticket");
}

// Everything that a report could see, to compare two databases.
struct Contents {
  std::vector<StoredOrder> orders;
  std::vector<StoredPayment> payments;
  std::vector<StoredReject> rejects;
  std::vector<StreamPosition> positions;
};

inline Contents read_contents(const DatabaseUrl& url) {
  auto reader = open_database_reader(url);
  REQUIRE_MESSAGE(reader, (reader ? "" : reader.error().message));
  constexpr size_t kAll = 1'000'000;
  return {.orders = *(*reader)->orders_after("", kAll),
          .payments = *(*reader)->payments_after("", "", kAll),
          .rejects = *(*reader)->rejects_after(0, kAll),
          .positions = *(*reader)->positions()};
}
inline Contents read_contents(const std::string& path) {
  return read_contents({.kind = DatabaseUrl::Kind::sqlite, .path = path});
}

}  // namespace stampede::drain::testing
