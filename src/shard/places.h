// The places of unanswered requests: one line for each connection, in the order of its requests.
//
//   connection ── line: first ─▶ place ─▶ place ─▶ place ◀─ last
//                         answered   waiting   answered
//
// Answers come in any order; each is kept at its place, an order's by value, until those in front of it are written.
// A place that is given away again has a new serial, so that a late answer finds nothing (see ReplyTo).
//
//   state      waiting ──answer()──▶ answered ──pop()──▶ free
//                                       └─▶ sending ──pop()──▶ free       a large body, piece by piece
#pragma once

#include <unordered_map>

#include "base/slab.h"
#include "http/origins.h"
#include "shard/request_handler.h"

namespace stampede::shard {

struct Place {
  enum class State : uint8_t { free, waiting, answered, sending };

  uint32_t next;
  uint32_t serial;  // survives in a free cell, of which only the first word is used
  uint32_t connection;
  State state;
  bool is_text;  // the answer is a TextAnswer
  bool is_head, closes, is_1_0;
  bool wants_turn;               // to be told when it is first
  bool wants_hurry;              // to be told when it is no longer last
  http::Origins::Number origin;  // of the page that asks
  uint32_t access;               // cell of the access log; kNone: it gets no line
  OrderAnswer answer;
};

// The unanswered requests of one connection.
struct Line {
  uint32_t first = kNone, last = kNone;
  uint32_t count = 0;
};

class Places {
 public:
  Places(uint32_t shard, uint32_t places_max) : shard_(shard), places_(places_max) {}

  bool is_full() const { return places_.is_full(); }
  uint32_t used() const { return places_.used(); }
  // Bytes of answers that belong to one place each and have not been written.
  size_t text_bytes() const { return text_bytes_; }

  // A place at the end of the line; there must be one.
  uint32_t add(Line& line, uint32_t connection, const http::Request& request);
  // Drops the first place of the line.
  void pop(Line& line);

  Place& operator[](uint32_t index) { return places_[index]; }
  const Place& operator[](uint32_t index) const { return places_[index]; }
  const TextAnswer& text(uint32_t index) const { return texts_.at(index); }

  ReplyTo reply_to(uint32_t index) const {
    return {
        .shard = static_cast<uint16_t>(shard_), .place = index, .serial = places_[index].serial};
  }
  // The request is still there and has no answer.
  bool is_waiting(const ReplyTo& to) const;

  // The place must be waiting.
  void answer(uint32_t index, const OrderAnswer& answer);
  void answer(uint32_t index, TextAnswer answer);

 private:
  uint32_t shard_;
  Slab<Place> places_;
  std::unordered_map<uint32_t, TextAnswer> texts_;  // by place; not on the path of an order
  size_t text_bytes_ = 0;
};

}  // namespace stampede::shard
