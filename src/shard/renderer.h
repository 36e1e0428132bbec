// An answer to bytes: behind those of its connection that are not sent yet.
//
// An answer is whole or is not begun. Its head is rendered only when there is room for all of it, or when its body lies
// at its place and goes from there to the socket, so that a large answer needs no buffer beyond its head.
#pragma once

#include "http/date_text.h"
#include "http/response.h"
#include "shard/connection_table.h"

namespace stampede::shard {

// head: the body is still to be sent from its place. nothing: there was no buffer.
enum class Rendered : uint8_t { whole, head, nothing };

class Renderer {
 public:
  explicit Renderer(ConnectionTable& table) : table_(table) { refresh_date(); }

  void refresh_date() { date_.refresh(table_.now.wall_ns); }
  // The answer at this place, the first of the connection's line.
  [[nodiscard]] Rendered render(Connection& connection, const Place& place) {
    CHECK(place.state == Place::State::answered);
    return place.is_text ? render_text(connection, place) : render_order(connection, place);
  }

 private:
  http::Delivery delivery_of(const Connection& connection, const Place& place) const;
  Rendered render_order(Connection& connection, const Place& place);
  Rendered render_text(Connection& connection, const Place& place);

  ConnectionTable& table_;
  http::DateText date_;
};

}  // namespace stampede::shard
