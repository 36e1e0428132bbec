// Is each value of a record one that this server could have written? Asked before a record changes any state.
//
// A checksum says that the bytes are those that were written, not that the writer was right: a record may come from a
// damaged process, another program or somebody who can compute the sum. So a value that would count over, point behind a
// table or make a deadline that no clock reaches is refused here, once, and what comes after may rely on it. Whether the
// record can follow the ones before it is the state's question (stream_state.h).
//
// Pure. Each function returns what is wrong, or nullptr.
#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "bounds.h"
#include "orderlog/record.h"

namespace stampede::stock {

// What is ever supplied of an item, or ever accepted by a stream, stays below this; so sums of two do not overflow.
constexpr Units kUnitsMax = Units{1} << 62;
constexpr uint64_t kSequenceMax = (uint64_t{1} << 40) - 1;  // what an order's id has room for
constexpr int64_t kWallMsMax = 253'402'300'799'999;         // the end of the year 9999
constexpr int64_t kBootNsMax = int64_t{1} << 61;            // 73 years after the boot
constexpr int64_t kWindowMsMax = bounds::pay_window_s_max * 1000;
static_assert(kWindowMsMax * kMillisecond < kBootNsMax, "a deadline cannot overflow");
constexpr Money kRefundMax = Money{1} << 62;
static_assert(kRefundMax > bounds::money_max && kRefundMax <= INT64_MAX - bounds::money_max);

// Of a reservation's record. Nobody reads it any more, since item and quantity stand beside it.
[[nodiscard]] constexpr uint64_t body_hash_of(ItemId item, Quantity quantity) {
  return mix((uint64_t{item} << 32) | quantity) | 1;
}

[[nodiscard]] const char* flaw_of(const orderlog::Item& record);
[[nodiscard]] const char* flaw_of(const orderlog::Supply& record);
[[nodiscard]] const char* flaw_of(const orderlog::Grant& record);
[[nodiscard]] const char* flaw_of(const orderlog::SequenceFloor& record);
[[nodiscard]] const char* flaw_of(const orderlog::Block& record);
[[nodiscard]] const char* flaw_of(const orderlog::Reserve& record);
[[nodiscard]] const char* flaw_of(const orderlog::Payment& record);
[[nodiscard]] const char* flaw_of(const orderlog::OrderImage& record);
[[nodiscard]] const char* flaw_of(const orderlog::SoldImage& record);

}  // namespace stampede::stock
