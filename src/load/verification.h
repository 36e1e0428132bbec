// Were the promises kept? The answers that the run received, held against the rows of the database
// and the server's own audit. Pure: rows come in one after the other, from any source; nothing is
// read or printed here.
//
// These must hold: an order that was acknowledged is in the database exactly once, with the
// right user, item and quantity, paid or cancelled if that was answered; no user of this run has an
// order that no answer has named; no unit was sold twice; and no user was told that nothing is left
// while a unit was. Users who gave up, or whose answers were lost for good, prove nothing, neither way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/plan.h"
#include "load/user_book.h"
#include "load/user_name.h"
#include "load/wishes.h"

namespace stampede::load {

// One row of the table `orders`; views valid for the call.
struct OrderRow {
  std::string_view order_id, item, user, state;
  int64_t quantity = 0;
};

// One item's line of /admin/audit.
struct ItemAudit {
  Units total = 0, free = 0, leased = 0, reserved = 0, paid = 0;
  Units elsewhere = 0;  // held by other nodes
  bool ok = false;
};

// The answers of the run, by the user's number. A seam for tests; a Run is the real one.
class Answers {
 public:
  virtual ~Answers() = default;
  virtual UserEnd end_of(uint64_t number) const = 0;
  virtual OrderId order_of(uint64_t number) const = 0;  // when the user's end is `sold`
  virtual OrderEnd order_end_of(uint64_t number) const = 0;
  virtual uint64_t second_orders() const = 0;
};

// One line of the result: a promise, the numbers behind it, and whether they fit.
struct Check {
  std::string name;
  std::string numbers;
  bool is_kept = false;
};

class Verification {
 public:
  // `before` and `after` the run, of each of its items (Wishes::items()); the plan must outlive this.
  Verification(const Plan& plan, const Answers& answers, const std::vector<ItemAudit>& before);

  void add_row(const OrderRow& row);
  // After all rows.
  [[nodiscard]] std::vector<Check> finish(const std::vector<ItemAudit>& after);

  uint64_t rows() const { return rows_; }  // of this run
  // After finish(), in units: held above the stock, and left although a user was told that nothing is.
  uint64_t oversold() const { return oversold_; }
  uint64_t unsold() const { return unsold_; }

 private:
  // Of one item.
  struct Books {
    std::string item;
    ItemAudit before, after;
    uint64_t unserved = 0;  // users that were told that nothing is left for them
    Quantity least_wanted =
        bounds::quantity_max;  // of them: fewer units than that are of no use to any of them
    Units held = 0;            // in the database, by any user, in a state that holds units
    Units held_by_run = 0;
    Units back_from_run = 0;  // cancelled or expired

    bool adds_up() const;
    uint64_t oversold() const;
    Units came_back() const;
    uint64_t unsold() const;
  };

  void note_users();
  Books* books_of(std::string_view item);  // null: no item of this run
  void add_row_of_run(uint64_t number, const OrderRow& row);
  Check check_acknowledged() const;
  Check check_database() const;
  Check check_unacknowledged() const;
  Check check_order_ends() const;
  Check check_oversold();
  Check check_unsold();

  const Plan& plan_;
  const Answers& answers_;
  Wishes wishes_;
  std::vector<Books> books_;
  UserNames names_;
  std::vector<bool> is_in_database_;  // by user: the acknowledged order was seen
  uint64_t acknowledged_ = 0, distinct_ = 0;
  uint64_t gave_up_ = 0;
  uint64_t rows_ = 0;
  uint64_t matched_ = 0;         // acknowledged orders found, right in every column
  uint64_t wrong_ = 0;           // found with another item or quantity
  uint64_t doubled_ = 0;         // found again
  uint64_t ended_ = 0;           // users whose order was answered as paid or cancelled
  uint64_t ended_right_ = 0;     // of them, those whose row agrees
  uint64_t unacknowledged_ = 0;  // rows of this run's users that no answer had named
  uint64_t oversold_ = 0, unsold_ = 0;
  std::string example_;  // the first order id that broke a promise
};

}  // namespace stampede::load
