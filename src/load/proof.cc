#include "load/proof.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/words.h"
#include "drain/database.h"
#include "load/number_text.h"

namespace stampede::load {
namespace {

constexpr int64_t kDrainPatience = 60 * kSecond;  // without any record reaching the database
constexpr unsigned kDrainPollMicroseconds = 50'000;
constexpr size_t kRowsPerPage = 10'000;

class RunAnswers final : public Answers {
 public:
  explicit RunAnswers(const Run& run) : run_(run) {}
  UserEnd end_of(uint64_t number) const override { return run_.end_of(number); }
  OrderId order_of(uint64_t number) const override { return run_.order_of(number); }
  OrderEnd order_end_of(uint64_t number) const override { return run_.order_end_of(number); }
  uint64_t second_orders() const override { return run_.second_orders(); }

 private:
  const Run& run_;
};

Result<std::unique_ptr<drain::DatabaseReader>> open_reader(const std::string& db) {
  Result<drain::DatabaseUrl> url = drain::parse_database_url(db);
  if (!url) return Error{"--db: " + url.error().message};
  return drain::open_database_reader(*url);
}

// The orders of other nodes are in their own order logs, and perhaps not in the database yet: they cannot be judged.
Status require_one_node(const ItemAudit& audit) {
  if (audit.elsewhere == 0) return Ok{};
  return Error{"--verify knows one node, and others hold " + grouped(audit.elsewhere) +
               " units of the item: write the orders with --acknowledged, and ask stampede audit "
               "with the --data of every node"};
}

}  // namespace

Proof::Proof(const Plan& plan, const OperatorClient& client, std::string db, Clock& clock,
             Progress& progress)
    : plan_(plan), client_(client), db_(std::move(db)), clock_(clock), progress_(progress) {}

Status Proof::prepare() {
  Result<std::vector<ItemAudit>> before = audits();
  if (!before) return before.error();
  before_ = std::move(*before);
  auto reader = open_reader(db_);
  if (!reader) return reader.error();
  return Ok{};
}

Result<Report::Verified> Proof::gather(const Run& run,
                                       const std::function<bool()>& is_interrupted) {
  // In front of the rows: what expires in between is then free in neither, and has come back in one of them. The other
  // way round it would be a unit that was left although nothing came back.
  Result<std::vector<ItemAudit>> after = audits();
  if (!after) return after.error();
  if (Status status = wait_until_drained(is_interrupted); !status) return status.error();
  RunAnswers answers(run);
  Verification verification(plan_, answers, before_);
  if (Status status = read_rows(verification); !status) return status.error();
  Report::Verified verified{.checks = verification.finish(*after)};
  verified.rows = verification.rows();
  verified.oversold = verification.oversold();
  verified.unsold = verification.unsold();
  return verified;
}

Result<std::vector<ItemAudit>> Proof::audits() const {
  std::vector<ItemAudit> audits;
  for (const std::string& item : Wishes(plan_).items()) {
    Result<ItemAudit> audit = client_.audit(item);
    if (!audit) return audit.error();
    if (Status status = require_one_node(*audit); !status) return status.error();
    audits.push_back(*audit);
  }
  return audits;
}

Status Proof::wait_until_drained(const std::function<bool()>& is_interrupted) {
  uint64_t least = UINT64_MAX;
  int64_t moved_ns = clock_.now().boot_ns;
  for (;;) {
    Result<uint64_t> lag = client_.drainer_lag_records();
    if (!lag) return lag.error();
    if (*lag == 0) return Ok{};
    int64_t now_ns = clock_.now().boot_ns;
    if (std::exchange(least, std::min(least, *lag)) > *lag) moved_ns = now_ns;
    if (now_ns - moved_ns > kDrainPatience)
      return Error{"the database does not catch up: " + grouped(*lag) + " records are missing"};
    if (is_interrupted())
      return Error{"interrupted before the database had everything: nothing was verified"};
    progress_.show("waiting for the database: " + grouped(*lag) + " records to come");
    usleep(kDrainPollMicroseconds);
  }
}

Status Proof::read_rows(Verification& verification) {
  auto reader = open_reader(db_);
  if (!reader) return reader.error();
  std::string last;
  for (uint64_t rows = 0;;) {
    auto page = (*reader)->orders_after(last, kRowsPerPage);
    if (!page) return page.error();
    if (page->empty()) return Ok{};
    for (const drain::StoredOrder& order : *page)
      verification.add_row({order.order_id, order.item, order.user_id, order.state, order.qty});
    last = page->back().order_id;
    rows += page->size();
    progress_.show("reading the database: " + grouped(rows) + " orders");
  }
}

}  // namespace stampede::load
