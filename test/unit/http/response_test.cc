#include "http/response.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <array>
#include <set>
#include <string>

namespace stampede::http {
namespace {

DateText date_of_test() {
  DateText date;
  date.refresh(784'111'777'000'000'000);
  return date;
}
const DateText kDate = date_of_test();
const std::string kDateLine = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

OrderAnswer answer_of(Verdict verdict) {
  OrderAnswer answer;
  answer.verdict = verdict;
  answer.has_order = true;
  answer.order.id = {0x0a1b2c3d4e5f6789};
  answer.order.quantity = 1;
  answer.order.user = std::string_view("u1");
  answer.order.amount = 55350;
  answer.order.currency = {'C', 'N', 'Y'};
  answer.order.created_ms = 1'796'090'400'123;
  answer.order.pay_before_ms = 1'796'092'200'123;
  return answer;
}

OrderAnswer refusal_of(Verdict verdict) {
  OrderAnswer answer;
  answer.verdict = verdict;
  return answer;
}

std::string render(const OrderAnswer& answer, const Delivery& delivery = {kDate}) {
  std::string out(response_bytes_max, '\0');
  out.resize(render_answer(answer, "ticket", delivery, out));
  return out;
}

std::string render(const Refusal& refusal, const Delivery& delivery = {kDate}) {
  std::string out(response_bytes_max, '\0');
  out.resize(render_refusal(refusal, delivery, out));
  return out;
}

std::string head_of(const std::string& response) {
  return response.substr(0, response.find("\r\n\r\n") + 2);
}
std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

std::string header_of(const std::string& response, const std::string& name) {
  const std::string head = head_of(response);
  const size_t found = head.find("\r\n" + name + ": ");
  if (found == head.npos) return "none";
  const size_t first = found + name.size() + 4;
  return head.substr(first, head.find("\r\n", first) - first);
}

TEST_SUITE_BEGIN("http/response");

TEST_CASE("a created order is answered to the letter") {
  CHECK(
      render(answer_of(Verdict::created)) ==
      "HTTP/1.1 201 Created\r\n" + kDateLine +
          "Content-Type: application/json\r\nContent-Length: 213\r\n\r\n"
          R"({"order_id":"0a1b2c3d4e5f6789","item":"ticket","qty":1,"user":"u1","state":"reserved","amount":55350,)"
          R"("currency":"CNY","created_at":"2026-12-01T02:00:00.123Z","pay_before":"2026-12-01T02:30:00.123Z","refund_due":0})");
}

// The usual head is rendered ahead; one that says more is not, so each shows what the other must.
TEST_CASE("an order is the same behind the usual head and behind any other") {
  const auto check_same = [](const OrderAnswer& answer) {
    const std::string usual = render(answer);
    const std::string closing = render(answer, {kDate, ConnectionOption::close});
    CHECK(body_of(usual) == body_of(closing));
    CHECK(header_of(usual, "Content-Length") == std::to_string(body_of(usual).size()));
    CHECK(head_of(closing) == head_of(usual) + "Connection: close\r\n");
  };
  for (const Verdict verdict : {Verdict::created, Verdict::ok, Verdict::replayed}) {
    OrderAnswer answer = answer_of(verdict);
    check_same(answer);
    // Each byte at each place, and texts of each length, plain and not.
    for (size_t size = 1; size <= bounds::user_bytes_max; ++size) {
      for (const char byte : {'x', '"', '\\', '\x1f', '\x7f', '\xc3'}) {
        CAPTURE(size);
        std::string user(size, 'u');
        user.back() = byte;
        answer.order.user = std::string_view(user);
        check_same(answer);
        std::array<char, quoted_bytes_max(bounds::user_bytes_max)> room;
        Writer writer(room);
        writer.quoted(user);
        CHECK(body_of(render(answer)).find("\"user\":" + std::string(writer.view()) + ",") !=
              std::string::npos);
      }
    }
    answer.order.user = std::string_view(std::string(bounds::user_bytes_max, '\x01'));
    answer.order.quantity = bounds::quantity_max;
    answer.order.amount = answer.order.refund_due = bounds::money_max;
    check_same(answer);
  }
}

TEST_CASE("an order whose text needs four digits of length is answered") {
  OrderAnswer answer = answer_of(Verdict::replayed);
  answer.order.user = std::string_view(std::string(bounds::user_bytes_max, '\x01'));
  answer.order.quantity = bounds::quantity_max;
  answer.order.amount = answer.order.refund_due = bounds::money_max;
  const std::string code(bounds::item_code_bytes_max, '\x02');
  std::string out(response_bytes_max, '\0');
  out.resize(render_answer(answer, code, {kDate}, out));
  CHECK(body_of(out).size() > 999);
  CHECK(header_of(out, "Content-Length") == std::to_string(body_of(out).size()));
}

TEST_CASE("sold out is answered to the letter") {
  CHECK(render(refusal_of(Verdict::sold_out)) ==
        "HTTP/1.1 409 Conflict\r\n" + kDateLine +
            "Content-Type: application/json\r\nContent-Length: 59\r\n\r\n"
            R"({"code":"sold_out","message":"Sold out.","retryable":false})");
}

TEST_CASE("a replayed order says so and a refund is never dropped") {
  OrderAnswer answer = answer_of(Verdict::replayed);
  answer.order.state = OrderState::expired;
  answer.order.refund_due = 55350;
  const std::string response = render(answer);
  CHECK(response.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(response.ends_with(R"("refund_due":55350,"replayed":true})"));
  CHECK(body_of(response).find(R"("state":"expired")") != std::string::npos);
}

TEST_CASE("each verdict has a status line and a code of its own") {
  std::set<std::string_view> codes;
  for (unsigned i = 0; i < kVerdictCount; ++i) {
    const VerdictInfo& info = info_of(static_cast<Verdict>(i));
    CAPTURE(info.code);
    CHECK(codes.insert(info.code).second);
    CHECK(info.status_line.starts_with("HTTP/1.1 " + std::to_string(info.status()) + " "));
    CHECK(info.status_line.ends_with("\r\n"));
  }
}

TEST_CASE("each refusal is JSON with code and message and whether to try again") {
  simdjson::dom::parser parser;
  for (unsigned i = static_cast<unsigned>(Verdict::bad_request); i < kVerdictCount; ++i) {
    const VerdictInfo& info = info_of(static_cast<Verdict>(i));
    CAPTURE(info.code);
    const std::string response = render(refusal_of(info.verdict));
    const simdjson::dom::element body = parser.parse(simdjson::padded_string(body_of(response)));
    CHECK(std::string_view(body["code"]) == info.code);
    CHECK(std::string_view(body["message"]) == info.message);
    CHECK(bool(body["retryable"]) == info.is_retryable);
    CHECK(header_of(response, "Content-Length") == std::to_string(body_of(response).size()));
    CHECK(render(Refusal{.verdict = info.verdict}).starts_with(info.status_line));
  }
}

TEST_CASE("trying again is offered where it helps and nowhere else") {
  const std::set<Verdict> retryable = {Verdict::not_started,  Verdict::request_timeout,
                                       Verdict::rate_limited, Verdict::try_again,
                                       Verdict::overloaded,   Verdict::ledger_unavailable,
                                       Verdict::sale_paused,  Verdict::shutting_down};
  for (unsigned i = 0; i < kVerdictCount; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    CAPTURE(info_of(verdict).code);
    CHECK(info_of(verdict).is_retryable == retryable.contains(verdict));
    if (info_of(verdict).status() != 503) continue;
    const std::string response = render(refusal_of(verdict));
    CHECK(header_of(response, "Retry-After") != "none");
    CHECK(response.find(R"("retry_after_ms":)") != std::string::npos);
  }
}

TEST_CASE("a wait is told in milliseconds and in whole seconds rounded up") {
  for (const auto& [wait_ms, seconds] :
       {std::pair{1u, "1"}, {1000u, "1"}, {1001u, "2"}, {59'999u, "60"}}) {
    OrderAnswer answer = refusal_of(Verdict::rate_limited);
    answer.retry_after_ms = wait_ms;
    const std::string response = render(answer);
    CHECK(header_of(response, "Retry-After") == seconds);
    CHECK(response.ends_with(R"("retryable":true,"retry_after_ms":)" + std::to_string(wait_ms) +
                             "}"));
    CHECK(header_of(render(Refusal{.verdict = Verdict::overloaded, .retry_after_ms = wait_ms}),
                    "Retry-After") == seconds);
  }
}

TEST_CASE("a sale that has not started tells its start and how long it is until then") {
  OrderAnswer answer = refusal_of(Verdict::not_started);
  answer.starts_at_ms = 784'111'777'000 + 90'500;
  const std::string response = render(answer);
  CHECK(response.ends_with(R"("retry_after_ms":90500,"starts_at":"1994-11-06T08:51:07.500Z"})"));
  CHECK(header_of(response, "Retry-After") == "91");
  answer.starts_at_ms = 784'111'777'000 - 5;  // the clocks of two shards differ by a turn
  CHECK(header_of(render(answer), "Retry-After") == "1");
  answer.starts_at_ms = INT64_MAX;
  CHECK(header_of(render(answer), "Retry-After") == "86400");
}

TEST_CASE("a refusal tells what stands in the way") {
  OrderAnswer answer = refusal_of(Verdict::not_enough);
  answer.available = 7;
  CHECK(render(answer).ends_with(R"("retryable":false,"available":7})"));
  answer = refusal_of(Verdict::misdirected);
  answer.node = 1023;
  CHECK(render(answer).ends_with(R"("retryable":false,"node":1023})"));
  for (Verdict verdict : {Verdict::limit_reached, Verdict::already_paid, Verdict::not_payable}) {
    answer = answer_of(verdict);
    answer.order.state = OrderState::paid;
    CHECK(render(answer).ends_with(
        R"("retryable":false,"order_id":"0a1b2c3d4e5f6789","state":"paid"})"));
  }
  CHECK(render(refusal_of(Verdict::limit_reached)).ends_with(R"("retryable":false})"));
}

TEST_CASE("a refusal may say why in its own words") {
  const std::string response =
      render(Refusal{.verdict = Verdict::bad_request, .reason = "say \"please\""});
  CHECK(body_of(response) ==
        R"({"code":"bad_request","message":"say \"please\"","retryable":false})");
}

TEST_CASE("a refusal that is not rendered anew is the one that would be") {
  constexpr std::string_view close = "Connection: close\r\n";
  DateText later = kDate;
  later.refresh(1'796'090'400'000'000'000);
  for (const DateText& date : {kDate, later}) {
    for (unsigned number = 0; number < kVerdictCount; ++number) {
      const OrderAnswer refusal = refusal_of(static_cast<Verdict>(number));
      if (info_of(refusal.verdict).status() < 300) continue;
      CAPTURE(number);
      const std::string plain = render(refusal, {.date = date});
      std::string anew = render(refusal, {.date = date, .connection = ConnectionOption::close});
      anew.erase(anew.find(close), close.size());
      CHECK(plain == anew);
      CHECK(header_of(plain, "Date") == date.view());
      std::string short_room(plain.size() - 1, '\0');
      CHECK(render_answer(refusal, "", {.date = date}, short_room) == 0);
    }
  }
}

TEST_CASE("a refusal with a detail of its own is rendered with it") {
  OrderAnswer refusal = refusal_of(Verdict::rate_limited);
  refusal.limit = Limit::user;
  CHECK(body_of(render(refusal)).find(R"("limit":"user")") != std::string::npos);
  refusal.limit = Limit::none;
  refusal.retry_after_ms = 1'234;
  CHECK(body_of(render(refusal)).find(R"("retry_after_ms":1234)") != std::string::npos);
  refusal = refusal_of(Verdict::sold_out);
  CHECK(render(refusal, {.date = kDate, .lines = "A: b\r\n"}).find("\r\nA: b\r\n") !=
        std::string::npos);
  CHECK(body_of(render(refusal, {.date = kDate, .is_head = true})).empty());
  CHECK(header_of(render(refusal, {.date = kDate, .connection = ConnectionOption::keep_alive}),
                  "Connection") == "keep-alive");
}

TEST_CASE("401 names the scheme and 405 the methods") {
  CHECK(header_of(render(refusal_of(Verdict::unauthenticated)), "WWW-Authenticate") == "Bearer");
  CHECK(header_of(render(Refusal{.verdict = Verdict::unauthenticated}), "WWW-Authenticate") ==
        "Bearer");
  const Refusal refusal{.verdict = Verdict::method_not_allowed, .allow = "GET, HEAD"};
  CHECK(header_of(render(refusal), "Allow") == "GET, HEAD");
  CHECK(header_of(render(refusal_of(Verdict::sold_out)), "WWW-Authenticate") == "none");
}

TEST_CASE("the connection header is said only when it must be") {
  const OrderAnswer answer = answer_of(Verdict::created);
  CHECK(header_of(render(answer), "Connection") == "none");
  CHECK(header_of(render(answer, {kDate, ConnectionOption::close}), "Connection") == "close");
  CHECK(header_of(render(answer, {kDate, ConnectionOption::keep_alive}), "Connection") ==
        "keep-alive");
  CHECK(connection_option({.keep_alive = true}) == ConnectionOption::none);
  CHECK(connection_option({.keep_alive = true, .is_http_1_0 = true}) ==
        ConnectionOption::keep_alive);
  CHECK(connection_option({.keep_alive = false}) == ConnectionOption::close);
  CHECK(connection_option({.keep_alive = false, .is_http_1_0 = true}) == ConnectionOption::close);
}

TEST_CASE("the answer to HEAD has the headers of GET and no body") {
  for (const OrderAnswer& answer : {answer_of(Verdict::ok), refusal_of(Verdict::unknown_order)}) {
    CHECK(render(answer, {kDate, ConnectionOption::none, true}) ==
          head_of(render(answer)) + "\r\n");
  }
}

TEST_CASE("the longest answers fit the bound and a smaller buffer gets nothing") {
  OrderAnswer longest = answer_of(Verdict::replayed);
  longest.order.quantity = UINT32_MAX;
  longest.order.amount = longest.order.refund_due = INT64_MIN;
  longest.order.user = UserText(std::string(64, '\x01'));
  longest.order.currency = {'\x01', '\x01', '\x01'};
  longest.order.created_ms = longest.order.pay_before_ms = INT64_MAX;
  const std::string code(64, '\x01');
  const Delivery delivery{kDate, ConnectionOption::keep_alive};
  std::string out(response_bytes_max, '\0');
  const size_t size = render_answer(longest, code, delivery, out);
  CHECK(size > 1000);
  CHECK(size <= response_bytes_max);
  for (size_t room : {size_t{0}, size_t{1}, size / 2, size - 1}) {
    CHECK(render_answer(longest, code, delivery, std::span(out).first(room)) == 0);
  }
  CHECK(render_answer(longest, code, delivery, std::span(out).first(size)) == size);
  for (unsigned i = static_cast<unsigned>(Verdict::bad_request); i < kVerdictCount; ++i) {
    OrderAnswer answer = longest;
    answer.verdict = static_cast<Verdict>(i);
    answer.available = UINT64_MAX;
    answer.retry_after_ms = UINT32_MAX;
    CHECK(render_answer(answer, code, delivery, out) > 0);
  }
}

TEST_CASE("other answers carry their type and further headers") {
  char out[300];
  const size_t size = http::render(StatusCode::ok, kPrometheusText, "ETag: \"e\"\r\n",
                                   "stampede_up 1\n", {kDate}, out);
  CHECK(std::string(out, size) ==
        "HTTP/1.1 200 OK\r\n" + kDateLine +
            "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 14\r\n"
            "ETag: \"e\"\r\n\r\nstampede_up 1\n");
  CHECK(http::render(StatusCode::ok, kJson, "", std::string(300, 'x'), {kDate}, out) == 0);
  const size_t head_size = render_head(StatusCode::ok, kJson, "", 300, {kDate}, out);
  CHECK(std::string(out, head_size) ==
        "HTTP/1.1 200 OK\r\n" + kDateLine +
            "Content-Type: application/json\r\nContent-Length: 300\r\n\r\n");
}

TEST_CASE("304 has neither a body nor a length") {
  char out[300];
  const size_t size =
      http::render(StatusCode::not_modified, kJson, "ETag: \"e\"\r\n", "{}", {kDate}, out);
  CHECK(std::string(out, size) ==
        "HTTP/1.1 304 Not Modified\r\n" + kDateLine + "ETag: \"e\"\r\n\r\n");
}

TEST_CASE("a list holds its orders in one array") {
  OrderList empty;
  CHECK(empty.finish() == R"({"orders":[]})");
  OrderList list;
  for (unsigned i = 0; i < 3; ++i) list.append(answer_of(Verdict::ok).order, "ticket");
  simdjson::dom::parser parser;
  const simdjson::dom::array orders =
      parser.parse(simdjson::padded_string(list.finish()))["orders"];
  CHECK(orders.size() == 3);
  CHECK(std::string_view(orders.at(2)["order_id"]) == "0a1b2c3d4e5f6789");
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
