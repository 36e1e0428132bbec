#include "shard/places.h"

#include <utility>

namespace stampede::shard {

uint32_t Places::add(Line& line, uint32_t connection, const http::Request& request) {
  CHECK(line.count < bounds::pipelined_max + 1);  // one more: the refusal that ends a connection
  const uint32_t index = places_.allocate();
  CHECK(index != kNone);
  Place& place = places_[index];
  CHECK(place.state == Place::State::free);
  place.next = kNone;
  place.connection = connection;
  place.state = Place::State::waiting;
  place.is_text = false;
  place.is_head = request.method == http::Method::head;
  place.closes = false;
  place.is_1_0 = request.is_http_1_0;
  place.wants_turn = false;
  place.wants_hurry = false;
  place.origin = 0;
  place.access = kNone;
  if (line.count++ == 0)
    line.first = index;
  else
    places_[line.last].next = index;
  line.last = index;
  return index;
}

void Places::pop(Line& line) {
  CHECK(line.count > 0);
  const uint32_t index = line.first;
  Place& place = places_[index];
  CHECK(place.state != Place::State::free);
  line.first = place.next;
  if (--line.count == 0) line.last = kNone;
  if (place.is_text) {
    const auto text = texts_.find(index);
    CHECK(text->second.body.size() <= text_bytes_);
    text_bytes_ -= text->second.body.size();
    texts_.erase(text);
  }
  place.state = Place::State::free;
  ++place.serial;
  places_.release(index);
}

bool Places::is_waiting(const ReplyTo& to) const {
  CHECK(to.shard == shard_);
  CHECK(to.place < places_.touched());
  const Place& place = places_[to.place];
  return place.serial == to.serial && place.state == Place::State::waiting;
}

void Places::answer(uint32_t index, const OrderAnswer& answer) {
  Place& place = places_[index];
  CHECK(place.state == Place::State::waiting);
  place.answer = answer;
  place.state = Place::State::answered;
}

void Places::answer(uint32_t index, TextAnswer answer) {
  Place& place = places_[index];
  CHECK(place.state == Place::State::waiting);
  text_bytes_ += answer.body.size();
  texts_[index] = std::move(answer);
  place.is_text = true;
  place.state = Place::State::answered;
}

}  // namespace stampede::shard
