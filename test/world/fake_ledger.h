// A ledger in the test's hand, for one stream: it answers from a real book, at once, later or never, and asks for
// promises as a shared one does. What it has granted and what came back can be looked at.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "ledger/book.h"
#include "ledger/ledger.h"

namespace stampede::world {

class FakeLedger final : public ledger::Ledger {
 public:
  explicit FakeLedger(ledger::Book book) : book_(std::move(book)) {}

  // Asks are taken and answered only when this ends.
  void withhold(bool withholds) { withholds_ = withholds; }
  // Without it the shard has nobody to ask.
  void set_available(bool is_available) { is_available_ = is_available; }
  // The next poll() asks for the promise of this epoch.
  void ask_for_promise(uint64_t epoch) { epoch_asked_ = epoch; }

  const ledger::Book& book() const { return book_; }
  uint64_t exchanges() const { return exchanges_; }
  bool is_under_way() const { return !asks_.empty(); }
  // The answer to the last question for a promise; nullopt: the stream promised nothing.
  std::optional<Lsn> promised() const { return promised_; }

  // ledger::Ledger
  uint32_t group_count() const override { return 1; }
  uint32_t ready_groups() const override { return is_available_ && !is_under_way() ? 1 : 0; }
  uint32_t available_groups() const override { return is_available_ ? 1 : 0; }
  void exchange(ledger::Client&, std::span<const LedgerAsk> asks, Moment) override {
    CHECK(ready_groups() == 1);
    asks_.assign(asks.begin(), asks.end());
    ++exchanges_;
  }
  void poll(ledger::Client& client, Moment) override {
    if (epoch_asked_ != 0) promised_ = client.promise(std::exchange(epoch_asked_, 0));
    if (withholds_) return;
    for (const LedgerAsk& ask : std::exchange(asks_, {})) client.take_news(book_.ask(0, ask).news);
  }
  bool has_mail() const override { return epoch_asked_ != 0 || (is_under_way() && !withholds_); }
  uint64_t take_touched() override { return 0; }

 private:
  ledger::Book book_;
  std::vector<LedgerAsk> asks_;
  bool withholds_ = false;
  bool is_available_ = true;
  uint64_t exchanges_ = 0;
  uint64_t epoch_asked_ = 0;
  std::optional<Lsn> promised_;
};

}  // namespace stampede::world
