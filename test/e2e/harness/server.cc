#include "server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <map>
#include <sstream>
#include <thread>

namespace stampede::e2e {
namespace {

// Secrets that protect nothing but tests.
constexpr char kTicketSecret[] = "1111111111111111111111111111111111111111111111111111111111111111";
constexpr char kLinkSecret[] = "2222222222222222222222222222222222222222222222222222222222222222";
constexpr char kPaymentSecret[] =
    "3333333333333333333333333333333333333333333333333333333333333333";

// Whether a process holds the data directory.
bool is_locked(const std::string& data) {
  const int file = ::open((data + "/lock").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  const bool is_free = ::flock(file, LOCK_EX | LOCK_NB) == 0;
  ::close(file);
  return !is_free;
}

using Mac = std::array<unsigned char, crypto_auth_hmacsha256_BYTES>;

Mac hmac(const char* secret_hex, std::string_view text) {
  std::array<unsigned char, crypto_auth_hmacsha256_KEYBYTES> secret;
  sodium_hex2bin(secret.data(), secret.size(), secret_hex, 64, nullptr, nullptr, nullptr);
  Mac mac;
  crypto_auth_hmacsha256(mac.data(), reinterpret_cast<const unsigned char*>(text.data()),
                         text.size(), secret.data());
  return mac;
}

std::string base64url(const unsigned char* bytes, size_t size) {
  std::string text(sodium_base64_encoded_len(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes, size,
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.pop_back();  // the terminating zero
  return text;
}

std::string tail(const std::string& text, size_t bytes = 4000) {
  return text.size() <= bytes ? text : "…" + text.substr(text.size() - bytes);
}

}  // namespace

std::string time_text(int64_t seconds_from_now) {
  time_t when = time(nullptr) + seconds_from_now;
  tm parts{};
  gmtime_r(&when, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string item_json(const ItemSpec& item) {
  std::ostringstream out;
  out << "{\"code\":" << json_string(item.code) << ",\"title\":\"Seat\",\"price\":" << item.price
      << ",\"currency\":\"CNY\",\"stock\":" << item.stock;
  if (item.per_user_limit != 0) out << ",\"per_user_limit\":" << item.per_user_limit;
  if (item.pay_window_s != 0) out << ",\"pay_window_s\":" << item.pay_window_s;
  if (item.starts_in_s) out << ",\"starts_at\":\"" << time_text(*item.starts_in_s) << '"';
  if (item.ends_in_s) out << ",\"ends_at\":\"" << time_text(*item.ends_in_s) << '"';
  out << '}';
  return out.str();
}

std::string catalog(const std::vector<ItemSpec>& items) {
  std::string text = "{\"items\":[";
  for (const ItemSpec& item : items)
    text += (&item == &items[0] ? "\n  " : ",\n  ") + item_json(item);
  return text + "]}\n";
}

std::string order_body(const Ask& ask) {
  return "{\"item\":" + json_string(ask.item) + ",\"qty\":" + std::to_string(ask.quantity) + "}";
}

std::string order_request(const Ask& ask) {
  Headers headers{{"X-User-Id", ask.user}};
  if (!ask.key.empty()) headers.emplace_back("Idempotency-Key", ask.key);
  return request_text("POST", "/v1/orders", headers, order_body(ask));
}

std::string payment_body(const Payment& payment) {
  return "{\"payment_id\":" + json_string(payment.id) +
         ",\"amount\":" + std::to_string(payment.amount) +
         ",\"currency\":" + json_string(payment.currency) +
         ",\"status\":" + json_string(payment.status) + "}";
}

std::string signature(std::string_view body, int64_t seconds_from_now) {
  return signature_at(body, time(nullptr) + seconds_from_now);
}

std::string signature_at(std::string_view body, int64_t unix_s) {
  std::string t = std::to_string(unix_s);
  Mac mac = hmac(kPaymentSecret, t + "." + std::string(body));
  char hex[2 * mac.size() + 1];
  sodium_bin2hex(hex, sizeof hex, mac.data(), mac.size());
  return "t=" + t + ",v1=" + hex;
}

std::string ticket(std::string_view user, int64_t ttl_s) {
  return ticket_until(user, time(nullptr) + ttl_s);
}

std::string ticket_until(std::string_view user, int64_t unix_s) {
  auto* bytes = reinterpret_cast<const unsigned char*>(user.data());
  std::string text = "v1." + base64url(bytes, user.size()) + "." + std::to_string(unix_s) + ".k1";
  Mac mac = hmac(kTicketSecret, text);
  return text + "." + base64url(mac.data(), mac.size());
}

std::string key_file_json() {
  return std::string("{\"tickets\":{\"k1\":\"") + kTicketSecret + "\"},\"links\":{\"k1\":\"" +
         kLinkSecret + "\"},\"payments\":{\"k1\":\"" + kPaymentSecret + "\"}}\n";
}

Server::Server(ServerOptions options) : options_(std::move(options)) {
  write_file(scratch_.path("keys.json"), key_file_json());
  if (options_.starts) start();
}

Server::~Server() {
  if (!has_failed()) return;
  std::optional<int> code = process_ ? process_->wait(milliseconds{0}) : std::nullopt;
  MESSAGE("the server " << (code ? "ended with " + std::to_string(*code) : "runs") << " and said:\n"
                        << tail(said()));
}

Arguments Server::command() const {
  std::map<std::string, std::string> flags{{"--catalog", scratch_.path("catalog.json")},
                                           {"--data", data()},
                                           {"--listen", "127.0.0.1:0"},
                                           {"--admin", "127.0.0.1:0"},
                                           {"--shards", std::to_string(options_.shards)},
                                           {"--segment-bytes", "2097152"},
                                           {"--auth", "header"},
                                           {"--key-file", scratch_.path("keys.json")}};
  for (const std::string& name : options_.without) flags.erase(name);
  for (const auto& [name, value] : options_.flags) flags[name] = value;
  Arguments command{options_.binary.empty() ? stampede_path() : options_.binary, "serve"};
  for (const auto& [name, value] : flags) {
    command.push_back(name);
    if (!value.empty()) command.push_back(value);
  }
  return command;
}

// Reads the lines `listening on http://127.0.0.1:PORT`, `admin on …` and `ready`.
bool Server::spawn() {
  write_file(scratch_.path("catalog.json"), options_.catalog);
  process_ = std::make_unique<Process>(command(), stderr_path(), options_.prepare);
  greeting_.clear();
  while (auto line = process_->read_line(std::chrono::seconds{60})) {
    greeting_ += *line + '\n';
    if (*line == "ready") return true;
    Address& address = line->rfind("admin on ", 0) == 0 ? admin_ : public_;
    size_t colon = line->rfind(':');
    if (line->find(" on unix:") != line->npos)
      address = {.unix_path = line->substr(colon + 1)};
    else if (line->find(" on http://") != line->npos)
      address = {.port = static_cast<uint16_t>(std::atoi(line->c_str() + colon + 1))};
  }
  return false;
}

void Server::start() {
  REQUIRE_MESSAGE(spawn(), "the server did not become ready:\n" << tail(said()));
  http_ = std::make_unique<Http>(public_);
  admin_http_ = std::make_unique<Http>(admin_);
}

std::optional<int> Server::try_start() {
  write_file(stderr_path(), "");
  if (!spawn()) return process_->wait(kPatience).value_or(-1);
  http_ = std::make_unique<Http>(public_);
  admin_http_ = std::make_unique<Http>(admin_);
  return std::nullopt;
}

int Server::start_and_fail() {
  write_file(stderr_path(), "");
  if (spawn()) {
    FAIL_CHECK("the server started although it should have refused");
    return -1;
  }
  return process_->wait(kPatience).value_or(-1);
}

bool Server::says(const std::string& words) const {
  return wait_until([&] { return said().find(words) != std::string::npos; });
}

int Server::terminate() {
  process_->signal(SIGTERM);
  return process_->wait(kPatience).value_or(-1);
}

void Server::kill9() {
  process_->signal(SIGKILL);
  REQUIRE(process_->wait(kPatience).has_value());
  // In a sandbox it is the keeper that was killed, and the server ends with it, a moment later.
  REQUIRE(wait_until([this] { return !is_locked(data()); }));
}

pid_t Server::serving_pid() const {
  return std::stoi(read_file(data() + "/lock"));
}

void Server::restart() {
  REQUIRE(terminate() == 0);
  start();
}

Response Server::order(const Ask& ask) {
  Headers headers{{"X-User-Id", ask.user}};
  if (!ask.key.empty()) headers.emplace_back("Idempotency-Key", ask.key);
  return order_with(headers, order_body(ask));
}

Response Server::order_with(const Headers& headers, const std::string& body) {
  Response response;
  wait_until([&] {
    response = http().post("/v1/orders", body, headers);
    return response.status != 503 || response.code() != "try_again";
  });
  return response;
}

Response Server::read(const std::string& user, const std::string& order_id) {
  return http().get("/v1/orders/" + order_id, {{"X-User-Id", user}});
}

Response Server::list(const std::string& user, const std::string& item) {
  return http().get("/v1/orders?item=" + item, {{"X-User-Id", user}});
}

Response Server::cancel(const std::string& user, const std::string& order_id) {
  return http().post("/v1/orders/" + order_id + "/cancel", {}, {{"X-User-Id", user}});
}

Response Server::pay(const std::string& order_id, const Payment& payment) {
  std::string body = payment_body(payment);
  return http().post("/v1/orders/" + order_id + "/payment", body,
                     {{"Stampede-Signature", signature(body)}});
}

Json Server::stock(const std::string& item) {
  Response response;
  wait_until([&] {
    response = http().get("/v1/items/" + item + "/stock");
    return response.status != 503;
  });
  REQUIRE_MESSAGE(response.status == 200,
                  response.status << " " << response.error << " " << response.body);
  return response.json();
}

std::string Server::buy(const Ask& ask) {
  Response response = order(ask);
  REQUIRE_MESSAGE(response.status == 201,
                  response.status << " " << response.error << " " << response.body);
  return response.json()["order_id"].text();
}

std::string Server::state_of(const std::string& user, const std::string& order_id) {
  Response response = read(user, order_id);
  REQUIRE_MESSAGE(response.status == 200,
                  response.status << " " << response.error << " " << response.body);
  return response.json()["state"].text();
}

Books Server::books(const std::string& item) {
  Response response;
  // While an epoch of a shared ledger begins nobody can say.
  wait_until([&] {
    response = admin().get("/admin/audit");
    return response.status != 503;
  });
  REQUIRE_MESSAGE(response.status == 200,
                  response.status << " " << response.error << " " << response.body);
  Json audit = response.json();
  for (const Json& line : audit["items"].elements())
    if (line["item"].text() == item)
      return {.total = line["total"].number(),
              .free = line["free"].number(),
              .leased = line["leased"].number(),
              .reserved = line["reserved"].number(),
              .paid = line["paid"].number(),
              .ok = line["ok"].truth() && audit["ok"].truth()};
  FAIL_CHECK("no item '" << item << "' in " << response.body);
  return {};
}

Json Server::status() {
  Response response = admin().get("/admin/status");
  REQUIRE_MESSAGE(response.status == 200,
                  response.status << " " << response.error << " " << response.body);
  return response.json();
}

double Server::metric(const std::string& prefix) {
  std::istringstream lines(admin().get("/metrics").body);
  double sum = 0;
  bool is_there = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(prefix, 0) != 0) continue;
    is_there = true;
    sum += std::atof(line.c_str() + line.rfind(' '));
  }
  return is_there ? sum : -1;
}

bool Server::wait_drained() {
  return wait_until([&] {
    Json now = status();
    bool is_drained = now["drainer"]["lag_records"].number() == 0;
    for (const Json& shard : now["shards"].elements())
      is_drained = is_drained && shard["drained"].number() == shard["durable"].number() &&
                   shard["durable"].number() == shard["appended"].number();
    return is_drained;
  });
}

void Server::check_books(const std::string& item) {
  CHECK(wait_drained());
  Books book = books(item);
  CHECK(book.ok);
  CHECK(book.total == book.free + book.leased + book.reserved + book.paid);
  Database database(database_path());
  std::string of_item = "from orders where item='" + item + "' and state=";
  CHECK(database.number("select coalesce(sum(qty),0) " + of_item + "'reserved'") == book.reserved);
  CHECK(database.number("select coalesce(sum(qty),0) " + of_item + "'paid'") == book.paid);
  CHECK(database.number("select count(*)-count(distinct order_id) from orders") == 0);
  CHECK(database.number("select count(*) from rejected") == 0);
}

bool wait_until(const std::function<bool()>& predicate, milliseconds patience) {
  auto deadline = std::chrono::steady_clock::now() + patience;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds{5});
  }
  return true;
}

}  // namespace stampede::e2e
