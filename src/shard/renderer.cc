#include "shard/renderer.h"

namespace stampede::shard {
namespace {

// A body of at most so many bytes is copied behind its head, which saves a write; a larger one goes from its place.
constexpr size_t kCopiedBodyMax = 8 * 1024;
static_assert(http::response_bytes_max + TextAnswer::kLeadBytesMax + kCopiedBodyMax <=
              net::chunk_capacity(net::ChunkSize::medium));

}  // namespace

http::Delivery Renderer::delivery_of(const Connection& connection, const Place& place) const {
  auto option = http::ConnectionOption::none;
  if (place.closes)
    option = http::ConnectionOption::close;
  else if (place.is_1_0)
    option = http::ConnectionOption::keep_alive;
  // Operators' answers are for no page.
  const std::string_view lines = connection.service.is_public
                                     ? table_.settings.origins.lines_for(place.origin)
                                     : std::string_view{};
  return {.date = date_, .connection = option, .is_head = place.is_head, .lines = lines};
}

Rendered Renderer::render_order(Connection& connection, const Place& place) {
  const std::span<char> room = connection.output.room(table_.book, http::response_bytes_max);
  if (room.empty()) return Rendered::nothing;
  const std::string_view code = place.answer.has_order
                                    ? connection.service.handler->item_code(place.answer.order.item)
                                    : std::string_view{};
  const size_t bytes =
      http::render_answer(place.answer, code, delivery_of(connection, place), room);
  CHECK(bytes > 0);
  connection.output.extend(table_.book, bytes);
  return Rendered::whole;
}

Rendered Renderer::render_text(Connection& connection, const Place& place) {
  const TextAnswer& text = table_.places.text(connection.line.first);
  const std::string_view body = text.content();
  const bool is_copied = place.is_head || body.size() <= kCopiedBodyMax;
  CHECK(text.lead.size() <= TextAnswer::kLeadBytesMax);
  const size_t needed = http::response_bytes_max + text.lead.size() +
                        (is_copied && !place.is_head ? body.size() : size_t{0});
  const std::span<char> room = connection.output.room(table_.book, needed);
  if (room.empty()) return Rendered::nothing;
  size_t bytes = 0;
  if (text.refusal != Verdict::ok) {
    const char* reason = text.body.empty() ? nullptr : text.body.c_str();
    bytes = http::render_refusal({.verdict = text.refusal, .reason = reason, .allow = text.allow},
                                 delivery_of(connection, place), room);
  } else if (is_copied && !place.is_head && text.lead.empty()) {
    bytes = http::render(text.status, text.content_type, text.headers, body,
                         delivery_of(connection, place), room);
  } else {
    bytes = http::render_head(text.status, text.content_type, text.headers,
                              text.lead.size() + body.size(), delivery_of(connection, place), room);
    if (!place.is_head) bytes += text.lead.copy(room.data() + bytes, text.lead.size());
    if (!place.is_head && is_copied) bytes += body.copy(room.data() + bytes, body.size());
  }
  CHECK(bytes > 0);
  connection.output.extend(table_.book, bytes);
  return is_copied ? Rendered::whole : Rendered::head;
}

}  // namespace stampede::shard
