// stampede load: a crowd of users against a running server, and afterwards the proof that every
// promise was kept.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include "cmd/flags.h"
#include "cmd/input_file.h"
#include "load/number_text.h"
#include "load/operator_client.h"
#include "load/progress.h"
#include "load/proof.h"
#include "load/report.h"
#include "load/run.h"

namespace stampede::cmd {
namespace {

using load::OperatorClient;
using load::Plan;
using load::Progress;

constexpr int64_t kTicketLifeSeconds = 24 * 3600;

struct Flags {
  std::string url = "http://127.0.0.1:8080";
  std::string admin = "http://127.0.0.1:8081";
  std::string db = "sqlite:./stampede-data/orders.db";
  std::string auth = "header";
  std::string key_file;
  std::string json;
  double duration_s = 0, warmup_s = 0, timeout_s = 30, patience_s = 30;
  bool verifies = false;
  bool shows_progress = false;
  Plan plan;
};

void add_flags(CLI::App& app, Flags& flags) {
  Plan& plan = flags.plan;
  app.add_option("--url", flags.url, "public listener of the server");
  app.add_option("--item", plan.item, "code of the item to buy")
      ->check(CLI::Validator(
          [](const std::string& code) {
            bool is_code =
                !code.empty() && code.size() <= limits::item_code_bytes_max &&
                code.find_first_not_of(
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
                    code.npos;
            return is_code ? "" : "expected 1 to 64 of A-Z a-z 0-9 . _ -";
          },
          "CODE"));
  app.add_option("--qty", plan.quantity, "units in each order")
      ->check(CLI::Range(1u, limits::quantity_max));
  app.add_option("--users", plan.users, "distinct users")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
  app.add_option("--seed", plan.seed, "part of every user id, u<seed>-<n>; random when not given");
  app.add_option("--retry-storm", plan.copies,
                 "copies of his order that each user sends over different connections")
      ->check(CLI::Range(1u, 1000u));
  app.add_option("--retries", plan.retries_max, "how often a user repeats a retryable answer")
      ->check(CLI::Range(0u, 1'000'000u));
  app.add_option("--rate", plan.rate, "orders a second; 0: as fast as connections x pipeline allow")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--duration", flags.duration_s, "seconds; 0: until every user has his answer")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--warmup", flags.warmup_s, "seconds in front that count in no figure")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--connections", plan.connections, "connections")
      ->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--pipeline", plan.pipeline, "requests under way on one connection")
      ->check(CLI::Range(1u, 1024u));
  app.add_option("--threads", plan.threads, "threads, each with its part of users and connections")
      ->check(CLI::Range(1u, 64u));
  app.add_option("--auth", flags.auth, "how users are known: header or ticket")
      ->check(CLI::IsMember({"header", "ticket"}));
  app.add_option("--key-file", flags.key_file,
                 "key file whose first ticket key signs the users' tickets");
  app.add_option("--timeout", flags.timeout_s,
                 "seconds without an answer before an order is sent again elsewhere")
      ->check(CLI::Range(0.001, 1e6));
  app.add_option("--patience", flags.patience_s,
                 "seconds to go on while the server cannot be reached")
      ->check(CLI::Range(0.0, 1e6));
  app.add_flag("--verify", flags.verifies,
               "check at the end that no promise was broken; exit 1 if one was");
  app.add_option("--admin", flags.admin,
                 "operators' listener, for --verify: http://ADDR:PORT or unix:PATH");
  app.add_option("--db", flags.db, "the server's database, for --verify");
  app.add_option("--json", flags.json, "write the figures as JSON to this file, too");
  app.add_flag("--progress", flags.shows_progress,
               "a line each second on stderr, even when it is no terminal");
}

Result<door::Key> read_ticket_key(const std::string& path) {
  Result<door::Keys> keys = read_key_file(path);
  if (!keys) return keys.error();
  if (keys->tickets.empty()) return Error{path + ": holds no ticket key"};
  return keys->tickets.front();
}

int64_t nanoseconds(double seconds) {
  return static_cast<int64_t>(seconds * static_cast<double>(kSecond));
}

// What the flags say, as a plan. The error names the flag.
Status complete(Flags& flags, bool has_seed) {
  Plan& plan = flags.plan;
  Result<net::Address> server = load::parse_url(flags.url);
  if (!server) return Error{"--url: " + server.error().message};
  plan.server = *server;
  if (plan.copies > plan.connections)
    return Error{
        "--retry-storm: expected at most --connections, for copies go over different ones"};
  if (plan.threads > plan.connections || plan.copies > plan.connections / plan.threads)
    return Error{"--threads: expected connections enough for each thread"};
  if (flags.auth == "ticket") {
    if (flags.key_file.empty())
      return Error{"--auth ticket: expected --key-file with a ticket key"};
    Result<door::Key> key = read_ticket_key(flags.key_file);
    if (!key) return Error{"--key-file: " + key.error().message};
    plan.ticket_key = *key;
    plan.tickets_expire_unix = time(nullptr) + kTicketLifeSeconds;
  }
  plan.warmup_ns = nanoseconds(flags.warmup_s);
  plan.duration_ns = flags.duration_s > 0 ? nanoseconds(flags.duration_s) + plan.warmup_ns : 0;
  plan.answer_timeout_ns = nanoseconds(flags.timeout_s);
  plan.patience_ns = nanoseconds(flags.patience_s);
  if (!has_seed) plan.seed = std::random_device{}();
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

void watch(load::Run& run, Clock& clock, Progress& progress) {
  int64_t begin_ns = clock.now().boot_ns, last_ns = begin_ns;
  uint64_t last_answered = 0;
  while (!run.wait(std::chrono::milliseconds(100))) {
    if (g_interrupts > 0) run.stop();
    int64_t now_ns = clock.now().boot_ns;
    if (now_ns - last_ns < kSecond) continue;
    load::Live live;
    auto latency_ns = std::make_unique<Histogram>();
    run.add_live(live, *latency_ns);
    double rate = static_cast<double>(live.answered - last_answered) * 1e9 /
                  static_cast<double>(now_ns - last_ns);
    progress.show(
        load::progress_line(live, *latency_ns, static_cast<double>(now_ns - begin_ns) / 1e9, rate));
    last_ns = now_ns;
    last_answered = live.answered;
  }
}

int failed(const std::string& message) {
  std::fprintf(stderr, "stampede load: %s\n", message.c_str());
  return kExitFailure;
}

Status write_json_file(const load::Report& report, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return Error{"--json: " + path + ": " + std::strerror(errno)};
  write_json(report, file);
  if (std::fclose(file) != 0) return Error{"--json: " + path + ": " + std::strerror(errno)};
  return Ok{};
}

// Prints what there is, whatever went wrong on the way: figures of an aborted run are still
// figures.
int conclude(const load::Report& report, const Flags& flags, const Status& status) {
  print_table(report, stdout);
  if (!flags.json.empty())
    if (Status written = write_json_file(report, flags.json); !written)
      return failed(written.error().message);
  if (!status) return failed(status.error().message);
  if (report.is_broken()) return failed("a promise was broken: see the lines with ✗");
  return kExitOk;
}

int execute(const Flags& flags, const OperatorClient& client) {
  SystemClock clock;
  load::ItemAudit before;
  if (flags.verifies) {
    Result<load::ItemAudit> audit = client.audit(flags.plan.item);
    if (!audit) return failed(audit.error().message);
    before = *audit;
  }
  Progress progress(flags.shows_progress);
  load::Run run(flags.plan, clock);
  run.begin();
  watch(run, clock, progress);
  Status status = run.finish();
  load::Report report{
      .plan = flags.plan, .tally = run.tally(), .users = run.users(), .unsent = run.unsent()};
  if (status && flags.verifies) {
    load::Proof proof(flags.plan, run, client, flags.db, clock, progress);
    auto verified = proof.gather(before, [] { return g_interrupts > 0; });
    if (verified) report.verified = std::move(*verified);
    if (!verified) status = verified.error();
  }
  progress.clear();
  return conclude(report, flags, status);
}

}  // namespace

int load(Arguments arguments) {
  CLI::App app(
      "A crowd of users against a running server, on schedule whatever the answers do; --verify "
      "holds its answers "
      "against the database and the stock.");
  prepare(app, "load");
  Flags flags;
  add_flags(app, flags);
  if (auto exit = parse(app, arguments)) return *exit;
  if (Status status = complete(flags, app.count("--seed") > 0); !status)
    return usage_error("load", status.error().message);
  Result<net::Address> admin = load::parse_url(flags.admin);
  if (!admin) return usage_error("load", "--admin: " + admin.error().message);
  if (Status status = raise_descriptor_limit(flags.plan.connections); !status)
    return usage_error("load", status.error().message);
  count_interrupts();
  return execute(flags, OperatorClient(*admin));
}

}  // namespace stampede::cmd
