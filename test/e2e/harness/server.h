// `stampede serve` as a test sees it: started on a scratch directory and free ports, asked over
// HTTP, killed, started again. Only public things are used: flags, lines on standard output, HTTP,
// signals, the database file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binary.h"
#include "database.h"
#include "http_client.h"
#include "json.h"

namespace stampede::e2e {

struct ItemSpec {
  std::string code = "ticket";
  int64_t stock = 10;
  int64_t per_user_limit = 0;  // 0: left out
  int64_t pay_window_s = 0;    // 0: left out
  std::optional<int64_t> starts_in_s;
  std::optional<int64_t> ends_in_s;
  int64_t price = 55350;
};
std::string item_json(const ItemSpec& item);
std::string catalog(const std::vector<ItemSpec>& items);
std::string time_text(int64_t seconds_from_now);  // ISO 8601 in UTC

// One order as a user wants it.
struct Ask {
  std::string user;
  std::string item = "ticket";
  int64_t quantity = 1;
  std::string key;  // Idempotency-Key; empty: none
};
std::string order_body(const Ask& ask);
std::string order_request(const Ask& ask);  // the whole HTTP request

struct Payment {
  std::string id = "p1";
  int64_t amount = 55350;
  std::string currency = "CNY";
  std::string status = "succeeded";
};
std::string payment_body(const Payment& payment);
// The header that a payment provider adds, with the harness's payment key.
std::string signature(std::string_view body, int64_t seconds_from_now = 0);
std::string signature_at(std::string_view body, int64_t unix_s);
// "v1.<user>.<expires>.<key id>.<mac>", made here and not by the binary under test.
std::string ticket(std::string_view user, int64_t ttl_s = 3600);
std::string ticket_until(std::string_view user, int64_t unix_s);
std::string key_file_json();

struct ServerOptions {
  std::string catalog;
  int shards = 1;
  std::vector<std::pair<std::string, std::string>>
      flags;                         // "" as value: a flag without one; they replace the defaults
  std::vector<std::string> without;  // defaults to leave out
  std::string data;                  // empty: `data` in the scratch directory
  std::string binary;                // empty: the one under test
  std::function<void()> prepare;     // in the child before exec: system calls only
  bool starts = true;                // with the object
};

// The units of one item, as /admin/audit has them.
struct Books {
  int64_t total = -1, free = -1, leased = -1, reserved = -1, paid = -1;
  bool ok = false;
};

class Server {
 public:
  // Started and ready, or the test ends here with what the server said.
  explicit Server(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;

  // Life
  void start();
  // Starts it or does not: the exit code, with the reason in complaint(); nothing when it is ready. Checks nothing.
  std::optional<int> try_start();
  // Starts and expects it to refuse: the exit code, with the reason in complaint().
  int start_and_fail();
  std::string complaint() const { return read_file(stderr_path()); }
  // The same and what it printed on standard output while it started the last time.
  std::string said() const { return greeting_ + complaint(); }
  // It says these words, or does so in time: an answer may be here before the line that tells of it.
  bool says(const std::string& words) const;
  int terminate();  // SIGTERM and the exit code; −1 if it does not end in time
  void kill9();
  void restart();                         // terminate (exit code 0) and start
  void pause() { process_->signal(19); }  // SIGSTOP
  void go_on() { process_->signal(18); }  // SIGCONT
  Process& process() { return *process_; }
  pid_t serving_pid() const;  // in a sandbox not the process that was started, but its child
  ServerOptions& options() { return options_; }  // for the next start
  Arguments command() const;

  // Places
  const Scratch& scratch() const { return scratch_; }
  std::string data() const { return options_.data.empty() ? scratch_.path("data") : options_.data; }
  std::string database_path() const { return data() + "/orders.db"; }
  std::string stderr_path() const { return scratch_.path("stderr"); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(public_.port); }
  std::string admin_url() const { return "http://127.0.0.1:" + std::to_string(admin_.port); }
  Address address() const { return public_; }
  Address admin_address() const { return admin_; }
  Http client(milliseconds patience = kPatience) const { return Http(public_, patience); }
  Http& http() { return *http_; }  // a connection for single questions
  Http& admin() { return *admin_http_; }

  // What users and the payment provider do. An order that is told to try again does so: that answer
  // is honest whenever the machine is slow or idle units are on their way between shards.
  Response order(const Ask& ask);
  Response order_with(const Headers& headers, const std::string& body);
  Response read(const std::string& user, const std::string& order_id);
  Response list(const std::string& user, const std::string& item = "ticket");
  Response cancel(const std::string& user, const std::string& order_id);
  Response pay(const std::string& order_id, const Payment& payment = {});
  // GET of an item's stock; again while a shard that was never asked has no news yet.
  Json stock(const std::string& item = "ticket");
  // An order that must succeed; its id.
  std::string buy(const Ask& ask);
  std::string state_of(const std::string& user, const std::string& order_id);

  // What operators see
  Books books(const std::string& item = "ticket");
  Json status();
  // The value of a sample whose name (with labels) starts so, summed over all of them; −1 if there
  // is none.
  double metric(const std::string& prefix);
  // Every record has reached the database.
  bool wait_drained();
  // The oracle of every scenario, at rest: the books add up, and the database says the same.
  void check_books(const std::string& item = "ticket");

 private:
  bool spawn();

  Scratch scratch_;
  ServerOptions options_;
  std::unique_ptr<Process> process_;
  Address public_, admin_;
  std::string greeting_;
  std::unique_ptr<Http> http_, admin_http_;
};

// Polls until it is so; false when it does not become so in time.
bool wait_until(const std::function<bool()>& predicate, milliseconds patience = kPatience);

}  // namespace stampede::e2e
