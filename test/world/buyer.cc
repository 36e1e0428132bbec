#include "buyer.h"

#include <charconv>
#include <utility>

#include "base/check.h"
#include "door/signature.h"

namespace stampede::world {
namespace {

size_t number_behind(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  size_t number = 0;
  if (at != text.npos)
    std::from_chars(text.data() + at + name.size(), text.data() + text.size(), number);
  return number;
}

}  // namespace

uint64_t order_number(std::string_view order_id) {
  uint64_t number = 0;
  std::from_chars(order_id.data(), order_id.data() + order_id.size(), number, 16);
  return number;
}

std::string Answer::member(std::string_view name) const {
  const std::string before = "\"" + std::string(name) + "\":";
  const size_t found = body.find(before);
  if (found == body.npos) return {};
  size_t begin = found + before.size();
  if (body[begin] == '"') return body.substr(begin + 1, body.find('"', begin + 1) - begin - 1);
  return body.substr(begin, body.find_first_of(",}", begin) - begin);
}

std::string Buyer::user_header(std::string_view user) const {
  if (!ticket_.empty()) return "Authorization: Bearer " + ticket_ + "\r\n";
  return "X-User-Id: " + std::string(user) + "\r\n";
}

void Buyer::request(std::string_view method, std::string_view target, std::string_view headers,
                    std::string_view body) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: here\r\n");
  text.append(headers);
  if (!body.empty())
    text.append("Content-Type: application/json\r\nContent-Length: ")
        .append(std::to_string(body.size()))
        .append("\r\n");
  else if (method != "GET")
    text.append("Content-Length: 0\r\n");
  text.append("\r\n").append(body);
  end_->send_pieces(text, piece_bytes_);
  ++unanswered_;
}

void Buyer::order(std::string_view user, uint32_t quantity, std::string_view key) {
  order_of(user, "ticket", quantity, key);
}

void Buyer::order_of(std::string_view user, std::string_view item, uint32_t quantity,
                     std::string_view key, std::string_view link) {
  std::string headers = user_header(user);
  if (!key.empty()) headers += "Idempotency-Key: " + std::string(key) + "\r\n";
  std::string body = "{\"item\":\"" + std::string(item) + "\",\"qty\":" + std::to_string(quantity);
  if (!link.empty()) body += ",\"link\":\"" + std::string(link) + "\"";
  request("POST", "/v1/orders", headers, body + "}");
}

void Buyer::cancel(std::string_view user, std::string_view order) {
  request("POST", "/v1/orders/" + std::string(order) + "/cancel", user_header(user));
}

void Buyer::list(std::string_view user, std::string_view item) {
  request("GET", "/v1/orders?item=" + std::string(item), user_header(user));
}

void Buyer::ask_link(std::string_view user, std::string_view item) {
  request("POST", "/v1/items/" + std::string(item) + "/link", user_header(user));
}

void Buyer::read(std::string_view user, std::string_view order, uint32_t wait_ms) {
  request("GET", "/v1/orders/" + std::string(order) + "?wait_ms=" + std::to_string(wait_ms),
          user_header(user));
}

void Buyer::pay(std::string_view order, std::string_view payment, uint64_t amount,
                const door::Key& key, int64_t now_unix) {
  const std::string body = "{\"payment_id\":\"" + std::string(payment) +
                           "\",\"amount\":" + std::to_string(amount) +
                           ",\"currency\":\"EUR\",\"status\":\"succeeded\"}";
  pay_by(order, body, key, now_unix);
}

void Buyer::pay_by(std::string_view order, std::string_view body, const door::Key& key,
                   int64_t now_unix) {
  request("POST", "/v1/orders/" + std::string(order) + "/payment",
          "Stampede-Signature: " + door::make_signature(body, now_unix, key) + "\r\n", body);
}

std::optional<Answer> Buyer::parse() {
  const size_t head_end = bytes_.find("\r\n\r\n");
  if (head_end == bytes_.npos) return std::nullopt;
  const std::string_view head = std::string_view(bytes_).substr(0, head_end);
  CHECK(head.starts_with("HTTP/1.1 "));
  const size_t body_bytes = number_behind(head, "Content-Length: ");
  const size_t whole = head_end + 4 + body_bytes;
  if (bytes_.size() < whole) return std::nullopt;
  Answer answer{.status = static_cast<int>(number_behind(head, "HTTP/1.1 ")),
                .body = bytes_.substr(head_end + 4, body_bytes)};
  bytes_.erase(0, whole);
  return answer;
}

void Buyer::read_answers() {
  bytes_ += end_->read();
  while (std::optional<Answer> answer = parse()) {
    if (answer->status == 100) continue;
    CHECK(unanswered_ > 0);
    --unanswered_;
    answers_.push_back(std::move(*answer));
  }
}

std::vector<Answer> Buyer::take_answers() {
  read_answers();
  return std::exchange(answers_, {});
}

bool Buyer::has_answer() {
  read_answers();
  return !answers_.empty();
}

Answer Buyer::take_answer() {
  read_answers();
  CHECK(!answers_.empty());
  Answer first = std::move(answers_.front());
  answers_.erase(answers_.begin());
  return first;
}

}  // namespace stampede::world
