#include "cmd/load_flags.h"

#include <charconv>
#include <cmath>
#include <random>
#include <utility>

#include "base/time_text.h"
#include "cmd/hardening.h"
#include "cmd/input_file.h"
#include "load/server_url.h"

namespace stampede::cmd {
namespace {

using load::Plan;

constexpr double kRateMax = 1e9, kSecondsMax = 1e6, kWeightMax = 1e6;
constexpr int64_t kTicketLifeSeconds = 24 * 3600;

bool read_number(std::string_view text, double& number) {
  const char* const end = text.data() + text.size();
  const auto [at, problem] = std::from_chars(text.data(), end, number);
  return problem == std::errc() && at == end && number >= 0;
}

int64_t nanoseconds(double seconds) {
  return static_cast<int64_t>(seconds * static_cast<double>(kSecond));
}

Status read_keys(LoadFlags& flags) {
  Plan& plan = flags.plan;
  bool needs_tickets = flags.auth == "ticket", needs_payments = plan.pay > 0;
  if (!needs_tickets && !needs_payments) return Ok{};
  if (flags.key_file.empty()) return Error{"--key-file: expected, for --auth ticket and for --pay"};
  forbid_core_dumps();
  Result<door::Keys> keys = read_key_file(flags.key_file);
  if (!keys) return Error{"--key-file: " + keys.error().message};
  if (needs_tickets && keys->tickets.empty())
    return Error{"--key-file: expected a ticket key in " + flags.key_file};
  if (needs_payments && keys->payments.empty())
    return Error{"--key-file: expected a payment key in " + flags.key_file};
  if (needs_tickets) plan.ticket_key = keys->tickets.front();
  if (needs_payments) plan.payment_key = keys->payments.front();
  return Ok{};
}

bool is_item_code(std::string_view text) {
  constexpr const char* kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= bounds::item_code_bytes_max &&
         text.find_first_not_of(kLetters) == text.npos;
}

// `cup:3`, or without a weight 1.
struct Weighted {
  std::string value;
  double weight = 1;
};
std::optional<Weighted> parse_weighted(const std::string& text) {
  const size_t colon = text.find(':');
  Weighted made{.value = text.substr(0, colon)};
  if (colon == text.npos) return made;
  if (!read_number(text.substr(colon + 1), made.weight)) return std::nullopt;
  return made.weight > 0 && made.weight <= kWeightMax ? std::optional(made) : std::nullopt;
}

// Every item in every quantity.
Status read_wishes(LoadFlags& flags) {
  flags.plan.wishes.clear();
  for (const std::string& item_text : flags.items) {
    const std::optional<Weighted> item = parse_weighted(item_text);
    if (!item || !is_item_code(item->value))
      return Error{"--item: expected 1 to 64 of A-Z a-z 0-9 . _ -, and perhaps :WEIGHT, not '" +
                   item_text + "'"};
    for (const std::string& quantity_text : flags.quantities) {
      const std::optional<Weighted> quantity = parse_weighted(quantity_text);
      double units = 0;
      if (!quantity || !read_number(quantity->value, units) || units != std::floor(units) ||
          units < 1 || units > bounds::quantity_max)
        return Error{"--qty: expected a whole number from 1 to 1,000, and perhaps :WEIGHT, not '" +
                     quantity_text + "'"};
      flags.plan.wishes.push_back({.item = item->value,
                                   .quantity = static_cast<Quantity>(units),
                                   .weight = item->weight * quantity->weight});
    }
  }
  return Ok{};
}

// `5000:30`
Result<load::Ramp> parse_ramp(const std::string& text) {
  const size_t colon = text.find(':');
  double rate = 0, seconds = 0;
  if (colon == text.npos || !read_number(text.substr(0, colon), rate) ||
      !read_number(text.substr(colon + 1), seconds) || rate < 1 || rate > kRateMax ||
      seconds > kSecondsMax)
    return Error{"--ramp: expected RATE:SECONDS such as 5000:30, not '" + text + "'"};
  return load::Ramp{.rate = rate, .ns = nanoseconds(seconds)};
}

// When orders are due.
Status read_pace(LoadFlags& flags) {
  Plan& plan = flags.plan;
  if (plan.rate <= 0 && (plan.burst > 0 || !flags.ramps.empty()))
    return Error{std::string(plan.burst > 0 ? "--burst" : "--ramp") +
                 ": expected a --rate above 0"};
  for (const std::string& text : flags.ramps) {
    Result<load::Ramp> ramp = parse_ramp(text);
    if (!ramp) return ramp.error();
    plan.ramps.push_back(*ramp);
  }
  if (flags.at.empty()) return Ok{};
  const std::optional<int64_t> begin_ms = parse_time(flags.at);
  if (!begin_ms)
    return Error{"--at: expected a time such as 2026-11-27T10:00:00Z, not '" + flags.at + "'"};
  plan.begin_wall_ns = ns_of_ms(*begin_ms);
  if (plan.begin_wall_ns > SystemClock().now().wall_ns) return Ok{};
  return Error{"--at: " + flags.at + " has passed"};
}

Status read_expectations(LoadFlags& flags) {
  for (const std::string& text : flags.expect) {
    Result<load::Expectation> expectation = load::parse_expectation(text);
    if (!expectation) return Error{"--expect: " + expectation.error().message};
    flags.expectations.push_back(std::move(*expectation));
  }
  return Ok{};
}

std::vector<Flag> crowd_flags(LoadFlags& flags) {
  Plan& plan = flags.plan;
  return {{.name = "--users",
           .unit = "N",
           .target = &plan.users,
           .help = "distinct users",
           .bounds = {{1, 100'000'000}}},
          {.name = "--item",
           .unit = "CODE[:WEIGHT]",
           .target = &flags.items,
           .help = "code of the item to buy; of several each user wants one, and `cup:3` is wanted "
                   "three times as often"},
          {.name = "--qty",
           .unit = "N[:WEIGHT]",
           .target = &flags.quantities,
           .help = "units in each order; of several each user wants one, and `1:8` is wanted eight "
                   "times as often"},
          {.name = "--retry-storm",
           .unit = "K",
           .target = &plan.copies,
           .help = "copies of his order that each user sends, over different connections",
           .bounds = {{1, 1000}}},
          {.name = "--retries",
           .unit = "N",
           .target = &plan.retries_max,
           .help = "how often a user repeats a retryable answer",
           .bounds = {{0, 1'000'000}}},
          {.name = "--pay",
           .unit = "FRACTION",
           .target = &plan.pay,
           .help = "part of the buyers who pay; needs a payment key in --key-file",
           .bounds = {{0, 1}}},
          {.name = "--cancel",
           .unit = "FRACTION",
           .target = &plan.cancel,
           .help = "part of the buyers who cancel",
           .bounds = {{0, 1}}},
          {.name = "--page-views",
           .unit = "R",
           .target = &plan.page_views,
           .help = "how many times a second somebody reads the item's page while orders are sent",
           .bounds = {{0, kRateMax}}},
          {.name = "--stock-polls",
           .unit = "R",
           .target = &plan.stock_polls,
           .help = "how many times a second somebody asks for its stock while orders are sent",
           .bounds = {{0, kRateMax}}},
          {.name = "--seed",
           .unit = "N",
           .target = &flags.seed,
           .help = "part of every user id, u<seed>-<n>",
           .absent = "random"},
          {.name = "--first-user",
           .unit = "N",
           .target = &plan.first_user,
           .help = "n of the first user: with one --seed and users of their own, several machines "
                   "are one crowd",
           .bounds = {{0, 1e15}}}};
}

std::vector<Flag> pace_flags(LoadFlags& flags) {
  Plan& plan = flags.plan;
  return {
      {.name = "--rate",
       .unit = "R",
       .target = &plan.rate,
       .help = "orders a second, sent on schedule whatever the answers do; 0: as fast as "
               "connections × pipeline allow",
       .bounds = {{0, kRateMax}}},
      {.name = "--ramp",
       .unit = "RATE:SECONDS",
       .target = &flags.ramps,
       .help = "from --rate in a straight line to RATE within so many seconds, then on at it; the "
               "next one "
               "goes on from there"},
      {.name = "--burst",
       .unit = "N",
       .target = &plan.burst,
       .help = "orders that are due at the first moment, before those of --rate",
       .bounds = {{0, 100'000'000}}},
      {.name = "--at",
       .unit = "TIME",
       .target = &flags.at,
       .help =
           "the first moment, such as `2026-11-27T10:00:00Z`, for which the open connections wait: "
           "several machines begin together",
       .absent = "at once"},
      {.name = "--duration",
       .unit = "SECONDS",
       .target = &flags.duration_s,
       .help = "how long orders are sent; 0: until every user has his answer",
       .bounds = {{0, kSecondsMax}}},
      {.name = "--warmup",
       .unit = "SECONDS",
       .target = &flags.warmup_s,
       .help = "time in front whose answers and latencies count in no figure; users and requests "
               "do",
       .bounds = {{0, 1e6}}},
      {.name = "--connections",
       .unit = "C",
       .target = &plan.connections,
       .help = "connections",
       .bounds = {{1, 1'000'000}}},
      {.name = "--pipeline",
       .unit = "D",
       .target = &plan.pipeline,
       .help = "requests under way on one connection",
       .bounds = {{1, 1024}}},
      {.name = "--threads",
       .unit = "N",
       .target = &plan.threads,
       .help = "threads, each with its part of users and connections",
       .bounds = {{1, 64}}}};
}

std::vector<Flag> server_flags(LoadFlags& flags) {
  return {{.name = "--url",
           .unit = "URL",
           .target = &flags.url,
           .help = "public listener of the server: http://HOST:PORT, or unix:PATH"},
          {.name = "--auth",
           .unit = "header|ticket",
           .target = &flags.auth,
           .help = "how users are known",
           .choices = {"header", "ticket"}},
          {.name = "--key-file",
           .unit = "FILE",
           .target = &flags.key_file,
           .help = "secrets; the first ticket key signs tickets, the first payment key payments"},
          {.name = "--timeout",
           .unit = "SECONDS",
           .target = &flags.timeout_s,
           .help = "without an answer; then the order is sent again on a new connection",
           .bounds = {{0.001, 1e6}}},
          {.name = "--patience",
           .unit = "SECONDS",
           .target = &flags.patience_s,
           .help = "how long to go on while the server cannot be reached, or takes no more "
                   "connections before the start",
           .bounds = {{0, 1e6}}}};
}

std::vector<Flag> report_flags(LoadFlags& flags) {
  return {
      {.name = "--verify",
       .target = &flags.verifies,
       .help = "check at the end that no promise was broken, by a server that shares its "
               "stock with no other; exit 1 if one was"},
      {.name = "--admin",
       .unit = "URL",
       .target = &flags.admin,
       .help = "operators' listener, for --verify: http://HOST:PORT or unix:PATH"},
      {.name = "--db",
       .unit = "URL",
       .target = &flags.db,
       .help = "the server's database, for --verify"},
      {.name = "--expect",
       .unit = "COMPARISON",
       .target = &flags.expect,
       .help = "what the run is to reach, such as `p99<5ms`, `created:p99.9<20ms`, "
               "`throughput>50000`, `try_again:share<1%` or `late:p99<1ms`; exit 3 if it does not",
       .more = "In front of the comparison (<, <=, >, >=, =) stand p50 to p99.99, mean or max: the "
               "latency of orders, of "
               "one kind of answer, or with `late` of sending what was due; count or share of "
               "answers, throughput, sold, "
               "refused, failed, unsent, or busiest, the part of its time that the busiest thread "
               "of the generator worked"},
      {.name = "--json",
       .unit = "FILE",
       .target = &flags.json,
       .help = "write the figures to this file as JSON"},
      {.name = "--series",
       .unit = "FILE",
       .target = &flags.series,
       .help = "write a line for each second to this file, as it passes, as CSV"},
      {.name = "--hdr",
       .unit = "FILE",
       .target = &flags.hdr,
       .help = "write the latencies to this file as a log of HdrHistogram: a line for each second, "
               "and one for each "
               "kind of answer, which its tools draw and merge"},
      {.name = "--acknowledged",
       .unit = "FILE",
       .target = &flags.acknowledged,
       .help = "write the acknowledged orders to this file: order id, user and what was "
               "answered last (reserved, paid or cancelled), between tabs"},
      {.name = "--progress",
       .target = &flags.shows_progress,
       .help = "a line each second on stderr when it is no terminal, instead of one in ten"}};
}

}  // namespace

Status complete(LoadFlags& flags) {
  Plan& plan = flags.plan;
  Result<load::ServerUrl> server = load::resolve_url(flags.url);
  if (!server) return Error{"--url: " + server.error().message};
  plan.server = server->address;
  plan.host = server->host;
  if (plan.copies > plan.connections)
    return Error{
        "--retry-storm: expected at most --connections, for copies go over different ones"};
  if (plan.threads > plan.connections || plan.copies > plan.connections / plan.threads)
    return Error{"--threads: expected connections enough for each thread"};
  if (plan.threads > plan.users)
    return Error{"--threads: expected at most --users, for each user belongs to one"};
  if (plan.pay + plan.cancel > 1) return Error{"--cancel: expected at most 1 together with --pay"};
  if (Status status = read_keys(flags); !status) return status;
  if (Status status = read_expectations(flags); !status) return status;
  if (Status status = read_wishes(flags); !status) return status;
  if (Status status = read_pace(flags); !status) return status;
  plan.tickets_expire_unix = SystemClock().now().wall_ns / kSecond + kTicketLifeSeconds;
  plan.warmup_ns = nanoseconds(flags.warmup_s);
  plan.duration_ns = flags.duration_s > 0 ? nanoseconds(flags.duration_s) + plan.warmup_ns : 0;
  plan.answer_timeout_ns = nanoseconds(flags.timeout_s);
  plan.patience_ns = nanoseconds(flags.patience_s);
  plan.seed = flags.seed ? *flags.seed : std::random_device{}();
  return Ok{};
}

void add_load_flags(Command& command, LoadFlags& flags) {
  command.add("The crowd", crowd_flags(flags));
  command.add("Its pace", pace_flags(flags));
  command.add("The server", server_flags(flags));
  command.add("The report", report_flags(flags));
}

}  // namespace stampede::cmd
