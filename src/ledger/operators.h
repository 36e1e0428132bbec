// The ledger as the operators of a node use it: audits, and changes of stock.
//
// A node that owns its books records a change in its order log first and then passes it on (OwnSupply). A supply that nodes
// share is changed there first, once for all of them, and each node records the answer (SharedSupply). An OperatorsLink
// holds the one of the two that a node has.
//
// All of it belongs to shard 0's thread. Results come out of the take_ functions after a later poll() or turn.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/messages.h"

namespace stampede::ledger {

// The answer to a change: the item's state in the ledger now.
struct StockChange {
  enum class Outcome : uint8_t {
    done,
    repeated,    // this op_id was applied before
    not_enough,  // fewer units are free than were to be withdrawn: `free`
    reused,  // this op_id was used for another change, or the product for another item: `message`
    unavailable,  // it is unknown whether it was done: `message`; the same op_id may be sent again
  };
  uint32_t ticket = 0;
  Outcome outcome = Outcome::done;
  Units free = 0;
  Units supplied = 0, withdrawn = 0;  // shared supply: the item's, by now
  std::string message;
};

struct AuditResult {
  uint32_t ticket = 0;
  bool is_known = true;  // false: the ledger does not answer
  AuditLine line;
};

// The methods that both have.
class Operators {
 public:
  virtual ~Operators() = default;
  // Begins the audit of an item; false: too many are under way, try again next turn.
  [[nodiscard]] virtual bool audit(ItemId item, uint32_t ticket) = 0;
  virtual std::vector<AuditResult> take_audits() = 0;
  virtual std::vector<StockChange> take_changes() = 0;
};

class OwnSupply : public Operators {
 public:
  // A supply or a withdrawal needs room on its way to the item's book.
  [[nodiscard]] virtual bool has_room_for_change(ItemId item) const = 0;
  // `supplied` is absolute and durable already.
  virtual void supply(ItemId item, Units supplied) = 0;
  // Takes free units off sale; its answer comes behind everything that was sent before it.
  virtual void withdraw(ItemId item, Units units, uint32_t ticket) = 0;
};

class SharedSupply : public Operators {
 public:
  // A new item with its stock, unless the ledger has it already. `product`: the name from which its code is made, or empty.
  // When the product is sold under another code already, the change is `reused`.
  virtual void add(std::string_view item, std::string_view product, Units stock,
                   uint32_t ticket) = 0;
  // Once per op_id among all nodes.
  virtual void restock(std::string_view item, std::string_view op_id, int64_t delta,
                       uint32_t ticket) = 0;
  // This node's log has the supply of a restock's answer, durably. Units that no other place remembers are sold from
  // now on, and not before.
  virtual void note_recorded(std::string_view item, Units supplied) = 0;
  // The terms an item is sold at by now, for the comparison with the other nodes (terms.h); nothing waits for it.
  virtual void offer_terms(std::string_view item, std::string before, std::string terms) = 0;
};

// Exactly one of `own` and `shared` is there; the ledger outlives the link.
struct OperatorsLink {
  OperatorsLink(OwnSupply& supply) : both(supply), own(&supply) {}
  OperatorsLink(SharedSupply& supply) : both(supply), shared(&supply) {}
  [[nodiscard]] bool is_shared() const { return shared != nullptr; }

  Operators& both;
  OwnSupply* own = nullptr;
  SharedSupply* shared = nullptr;
};

}  // namespace stampede::ledger
