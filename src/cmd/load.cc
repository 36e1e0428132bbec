// stampede load: a crowd of users against a running server, and afterwards the proof that every
// promise was kept.
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cinttypes>
#include <csignal>
#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include "base/time_text.h"
#include "cmd/flags.h"
#include "cmd/input_file.h"
#include "load/expectation.h"
#include "load/number_text.h"
#include "load/operator_client.h"
#include "load/progress.h"
#include "load/proof.h"
#include "load/report.h"
#include "load/run.h"
#include "load/series.h"
#include "load/user_name.h"

namespace stampede::cmd {
namespace {

using load::OperatorClient;
using load::Plan;
using load::Progress;

constexpr double kRateMax = 1e9, kSecondsMax = 1e6;
constexpr int64_t kTicketLifeSeconds = 24 * 3600;

struct Flags {
  std::string url = "http://127.0.0.1:8080";
  std::string admin = "http://127.0.0.1:8081";
  std::string db = "sqlite:./stampede-data/orders.db";
  std::string auth = "header";
  std::string key_file;
  std::string json, series, acknowledged;
  std::vector<std::string> ramps;
  std::string at;
  double duration_s = 0, warmup_s = 0, timeout_s = 30, patience_s = 30;
  std::vector<std::string> expect;
  std::vector<load::Expectation> expectations;  // what they say
  bool verifies = false;
  bool shows_progress = false;
  std::optional<uint64_t> seed;
  Plan plan{.rate = 10'000};
};

std::string refuse_item_code(const std::string& code) {
  constexpr const char* kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  bool is_code = !code.empty() && code.size() <= bounds::item_code_bytes_max &&
                 code.find_first_not_of(kLetters) == code.npos;
  return is_code ? "" : "expected 1 to 64 of A-Z a-z 0-9 . _ -";
}

bool read_number(std::string_view text, double& number) {
  const char* const end = text.data() + text.size();
  const auto [at, problem] = std::from_chars(text.data(), end, number);
  return problem == std::errc() && at == end && number >= 0;
}

int64_t nanoseconds(double seconds) {
  return static_cast<int64_t>(seconds * static_cast<double>(kSecond));
}

Status read_keys(Flags& flags) {
  Plan& plan = flags.plan;
  bool needs_tickets = flags.auth == "ticket", needs_payments = plan.pay > 0;
  if (!needs_tickets && !needs_payments) return Ok{};
  if (flags.key_file.empty()) return Error{"--key-file: expected, for --auth ticket and for --pay"};
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
Status read_pace(Flags& flags) {
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

Status read_expectations(Flags& flags) {
  for (const std::string& text : flags.expect) {
    Result<load::Expectation> expectation = load::parse_expectation(text);
    if (!expectation) return Error{"--expect: " + expectation.error().message};
    flags.expectations.push_back(std::move(*expectation));
  }
  return Ok{};
}

// What the flags say, as a plan. The error names the flag.
Status complete(Flags& flags) {
  Plan& plan = flags.plan;
  Result<net::Address> server = load::parse_url(flags.url);
  if (!server) return Error{"--url: " + server.error().message};
  plan.server = *server;
  if (plan.copies > plan.connections)
    return Error{
        "--retry-storm: expected at most --connections, for copies go over different ones"};
  if (plan.threads > plan.connections || plan.copies > plan.connections / plan.threads)
    return Error{"--threads: expected connections enough for each thread"};
  if (plan.pay + plan.cancel > 1) return Error{"--cancel: expected at most 1 together with --pay"};
  if (Status status = read_keys(flags); !status) return status;
  if (Status status = read_expectations(flags); !status) return status;
  if (Status status = read_pace(flags); !status) return status;
  plan.tickets_expire_unix = SystemClock().now().wall_ns / kSecond + kTicketLifeSeconds;
  plan.warmup_ns = nanoseconds(flags.warmup_s);
  plan.duration_ns = flags.duration_s > 0 ? nanoseconds(flags.duration_s) + plan.warmup_ns : 0;
  plan.answer_timeout_ns = nanoseconds(flags.timeout_s);
  plan.patience_ns = nanoseconds(flags.patience_s);
  plan.seed = flags.seed ? *flags.seed : std::random_device{}();
  return Ok{};
}

Status raise_descriptor_limit(uint32_t connections) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t needed = connections + 64;  // epoll, database, standard streams
  if (limit.rlim_cur >= needed) return Ok{};
  limit.rlim_cur = needed;
  limit.rlim_max = std::max(limit.rlim_max, needed);
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return Ok{};
  return Error{load::format("--connections %u needs %llu open files: raise the limit (ulimit -n)",
                            connections, static_cast<unsigned long long>(needed))};
}

volatile std::sig_atomic_t g_interrupts = 0;

void count_interrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) {
    if (g_interrupts > 0) _exit(kExitFailure);  // the second Ctrl-C does not wait for answers
    g_interrupts = 1;
  };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// The figures of each second, to where they are wanted.
class Watch {
 public:
  Watch(const Plan& plan, load::Run& run, Clock& clock, Progress& progress)
      : plan_(plan), run_(run), clock_(clock), progress_(progress), series_(run) {}

  // A file that is there from now on.
  Status open_series(const std::string& path) {
    if (path.empty()) return Ok{};
    csv_.reset(std::fopen(path.c_str(), "we"));
    if (csv_ == nullptr) return Error{"--series: " + path + ": " + std::strerror(errno)};
    std::fputs(load::csv_heading().c_str(), csv_.get());
    return Ok{};
  }

  // Until the run has ended.
  void follow() {
    while (!run_.wait(std::chrono::milliseconds(100))) {
      if (g_interrupts > 0) run_.stop();
      const int64_t since_begin_ns = clock_.now().boot_ns - run_.begin_ns();
      if (run_.begin_ns() == 0) continue;
      if (since_begin_ns < 0)
        progress_.show(
            load::format("begins in %.0f s", static_cast<double>(-since_begin_ns) / 1e9));
      else if (since_begin_ns - series_.end_ns() >= kSecond)
        close_second(since_begin_ns);
    }
    if (run_.begin_ns() != 0) close_second(clock_.now().boot_ns - run_.begin_ns());
  }

  Status close_files() {
    if (csv_ == nullptr || std::fclose(csv_.release()) == 0) return Ok{};
    return Error{"--series: " + std::string(std::strerror(errno))};
  }

  std::span<const load::Second> seconds() const { return series_.seconds(); }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void close_second(int64_t since_begin_ns) {
    const load::Second& second = series_.close_second(since_begin_ns);
    progress_.show(load::progress_line(plan_, series_));
    if (csv_ == nullptr) return;
    std::fputs(load::csv_line(second).c_str(), csv_.get());
    std::fflush(csv_.get());  // whoever draws it reads along
  }

  const Plan& plan_;
  load::Run& run_;
  Clock& clock_;
  Progress& progress_;
  load::Series series_;
  std::unique_ptr<std::FILE, Close> csv_;
};

int failed(const std::string& message) {
  return end_with("load", kExitFailure, message);
}

Status write_json_file(const load::Report& report, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return Error{"--json: " + path + ": " + std::strerror(errno)};
  write_json(report, file);
  if (std::fclose(file) != 0) return Error{"--json: " + path + ": " + std::strerror(errno)};
  return Ok{};
}

// For proofs over several servers, whose promises one listener cannot tell.
Status write_acknowledged(const load::Run& run, const Plan& plan, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return Error{"--acknowledged: " + path + ": " + std::strerror(errno)};
  constexpr const char* kStates[] = {"reserved", "paid", "cancelled"};  // as load::Settled
  const load::UserNames names(plan.seed, plan.users);
  for (uint64_t user = 0; user < plan.users; ++user)
    if (run.end_of(user) == load::UserEnd::sold)
      std::fprintf(file, "%016" PRIx64 "\t%s\t%s\n", run.order_of(user).value,
                   std::string(names.name_of(user).view()).c_str(),
                   kStates[static_cast<size_t>(run.settled_of(user))]);
  if (std::fclose(file) != 0) return Error{"--acknowledged: " + path + ": " + std::strerror(errno)};
  return Ok{};
}

// Prints what there is, whatever went wrong on the way: figures of an aborted run are still
// figures.
int conclude(const load::Report& report, const Flags& flags, const Status& status) {
  if (!status && report.tally.live.sent == 0) return failed(status.error().message);
  print_table(report, stdout);
  if (!flags.json.empty())
    if (Status written = write_json_file(report, flags.json); !written)
      return failed(written.error().message);
  if (!status) return failed(status.error().message);
  if (report.is_broken()) return failed("a promise was broken: see the lines with ✗");
  if (report.verified && !report.is_proven())
    return failed("nothing was sold, so nothing is verified");
  if (!report.is_as_expected())
    return end_with("load", kExitMissed, "an expectation was not met: see the lines with ✗");
  return kExitOk;
}

int execute(const Flags& flags, const OperatorClient& client) {
  SystemClock clock;
  Progress progress(flags.shows_progress);
  load::Proof proof(flags.plan, client, flags.db, clock, progress);
  if (flags.verifies)
    if (Status status = proof.prepare(); !status) return failed(status.error().message);
  load::Run run(flags.plan, clock);
  Watch watch(flags.plan, run, clock, progress);
  if (Status opened = watch.open_series(flags.series); !opened)
    return failed(opened.error().message);
  run.begin();
  watch.follow();
  Status status = run.finish();
  if (Status closed = watch.close_files(); !closed) return failed(closed.error().message);
  load::Report report{
      .plan = flags.plan, .tally = run.tally(), .users = run.users(), .unsent = run.unsent()};
  report.seconds_of_run = watch.seconds();
  if (!flags.acknowledged.empty())
    if (Status written = write_acknowledged(run, flags.plan, flags.acknowledged); !written)
      return failed(written.error().message);
  if (status && flags.verifies && g_interrupts > 0)
    status = Error{"interrupted: nothing was verified"};
  if (status && flags.verifies) {
    auto verified = proof.gather(run, [] { return g_interrupts > 0; });
    if (verified) report.verified = std::move(*verified);
    if (!verified) status = verified.error();
  }
  for (const load::Expectation& expectation : flags.expectations)
    report.expected.push_back(judge(expectation, report));
  progress.clear();
  return conclude(report, flags, status);
}

int run(Flags& flags) {
  if (Status status = complete(flags); !status) return usage_error("load", status.error().message);
  Result<net::Address> admin = load::parse_url(flags.admin);
  if (!admin) return usage_error("load", "--admin: " + admin.error().message);
  if (Status status = raise_descriptor_limit(flags.plan.connections); !status)
    return usage_error("load", status.error().message);
  count_interrupts();
  return execute(flags, OperatorClient(*admin));
}

std::vector<Flag> crowd_flags(Flags& flags) {
  Plan& plan = flags.plan;
  return {{.name = "--users",
           .unit = "N",
           .target = &plan.users,
           .help = "distinct users",
           .bounds = {{1, 100'000'000}}},
          {.name = "--item",
           .unit = "CODE",
           .target = &plan.item,
           .help = "code of the item to buy",
           .refuse = refuse_item_code},
          {.name = "--qty",
           .unit = "N",
           .target = &plan.quantity,
           .help = "units in each order",
           .bounds = {{1, bounds::quantity_max}}},
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
          {.name = "--seed",
           .unit = "N",
           .target = &flags.seed,
           .help = "part of every user id, u<seed>-<n>",
           .absent = "random"}};
}

std::vector<Flag> pace_flags(Flags& flags) {
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
       .help = "time in front that counts in no figure",
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

std::vector<Flag> server_flags(Flags& flags) {
  return {{.name = "--url",
           .unit = "URL",
           .target = &flags.url,
           .help = "public listener of the server"},
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
           .help = "how long to go on while the server cannot be reached",
           .bounds = {{0, 1e6}}}};
}

std::vector<Flag> report_flags(Flags& flags) {
  return {
      {.name = "--verify",
       .target = &flags.verifies,
       .help = "check at the end that no promise was broken, by a server that shares its "
               "stock with no other; exit 1 if one was"},
      {.name = "--admin",
       .unit = "URL",
       .target = &flags.admin,
       .help = "operators' listener, for --verify: http://ADDR:PORT or unix:PATH"},
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
      {.name = "--acknowledged",
       .unit = "FILE",
       .target = &flags.acknowledged,
       .help = "write the acknowledged orders to this file: order id, user and what was "
               "answered last (reserved, paid or cancelled), between tabs"},
      {.name = "--progress",
       .target = &flags.shows_progress,
       .help = "a line each second on stderr, even when it is no terminal"}};
}

}  // namespace

Command load() {
  const auto flags = std::make_shared<Flags>();
  Command command{
      .name = "stampede load",
      .summary = "a crowd of users against a running server, and the proof of the sale",
      .about =
          "A crowd of users against a running server. Orders are sent on schedule whatever the "
          "answers do, and latency counts from when they were due; --rate 0 sends the next when an "
          "answer is there. --verify holds the answers against the "
          "database and the stock.",
      .examples = {{"stampede load --users 50000 --verify",
                    "fifty thousand users of a server on this machine, and the proof"},
                   {"stampede load --rate 20000 --duration 60 --warmup 5 --expect 'p99<5ms'",
                    "does it answer 20,000 orders a second within 5 ms? exit 3 if it does not"}},
      .exits = {{kExitFailure,
                 "the server could not be reached, a promise was broken, or nothing was sold and "
                 "so nothing proven"},
                {kExitMissed, "an expectation was not met"}},
      .run = [flags] { return run(*flags); }};
  command.add("The crowd", crowd_flags(*flags));
  command.add("Its pace", pace_flags(*flags));
  command.add("The server", server_flags(*flags));
  command.add("The report", report_flags(*flags));
  return command;
}

}  // namespace stampede::cmd
