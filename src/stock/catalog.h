// What is sold and on which terms: the value that travels between shards, and one shard's table of
// all of it.
//
// Every order asks the table twice: code → id when a request is parsed, id → terms when it is
// decided. So the terms that decide an order lie together without their texts, one cache line an
// item, and a code is found through a keyed hash (clients choose the codes that they ask for). A
// million items of 20-byte codes and titles take about 120 MB a shard, which is why texts are
// stored at their own length and not at the longest allowed.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/buckets.h"
#include "base/hash.h"
#include "bounds.h"
#include "order.h"
#include "orderlog/record.h"
#include "stock/code_filter.h"

namespace stampede::stock {

// What decides an order for an item.
struct SaleTerms {
  Money price = 0;              // of one unit
  int64_t starts_ms = 0;        // wall clock; 0: open from the start
  int64_t ends_ms = 0;          // wall clock; 0: no end
  int64_t pay_window_s = 1800;  // from order to expiry
  Quantity per_user_limit = 0;  // units reserved or paid; 0: none
  uint32_t order_rate = 0;      // new reservations a second, on each node; 0: no limit
  Currency currency = {'C', 'N', 'Y'};
  bool is_paused = false;
  bool is_ended =
      false;  // for good: by an operator, or because orders may be forgotten from then on
  bool has_hidden_link = false;
  bool has_proof = false;  // the link is given to who proves that it may have it
};

// All that is known of an item but its stock. A plain value: it may cross between shards.
struct ItemTerms : SaleTerms {
  ItemId id = kNoItem;
  Text<bounds::item_code_bytes_max> code;    // [A-Za-z0-9._-]
  Text<bounds::item_title_bytes_max> title;  // UTF-8 without control characters
  Text<bounds::product_bytes_max> product;   // what an opaque code stands for; empty: it is none
  Text<bounds::enrolled_file_bytes_max>
      enrolled;              // the file of the users that may buy; empty: everybody may
  uint64_t catalog_sum = 0;  // see orderlog::Item; not kept in the table below
};

// An item as a catalog names it; it has no id yet.
struct CatalogEntry {
  ItemTerms terms;
  Units stock = 0;
};

// The order log's record of the terms; its texts are views into `terms`.
[[nodiscard]] orderlog::Item record_of(const ItemTerms& terms);
[[nodiscard]] ItemTerms terms_of(const orderlog::Item& record);

// One shard's table of items; only its thread touches it. Items are never taken out: an ended one
// must still be answered. Ids are dense from 0 and never reused, an item keeps its code; breaking
// either is a bug.
class Catalog {
 public:
  // `key` is the secret of the data directory. In front of the exact table stands a filter (code_filter.h) of this rate, made
  // for so many items; 0: none.
  explicit Catalog(const HashKey& key, double filter_rate = 0, size_t items = 0);

  // Adds the item, or replaces all its terms. Allocates: for changes of operators and the start,
  // not for orders.
  void upsert(const ItemTerms& terms);
  // How often it has changed: what was made from it is good as long as this is the same.
  [[nodiscard]] uint64_t version() const { return version_; }

  // Ids below this are known, unless an earlier one has not arrived yet.
  [[nodiscard]] ItemId id_end() const { return static_cast<ItemId>(rows_.size()); }
  [[nodiscard]] bool contains(ItemId id) const {
    return id < rows_.size() && rows_[id].texts != nullptr;
  }

  [[nodiscard]] size_t filter_bytes() const { return filter_.bytes(); }

  // kNoItem when nobody sells that.
  [[nodiscard]] ItemId find(std::string_view code) const;

  // These need a known item. References and views hold until the next upsert().
  [[nodiscard]] const SaleTerms& sale(ItemId id) const { return row(id).sale; }
  [[nodiscard]] std::string_view code(ItemId id) const { return code_of(row(id)); }
  [[nodiscard]] std::string_view title(ItemId id) const { return texts(id).title; }
  // Only users of a list may buy it.
  [[nodiscard]] bool has_enrolment(ItemId id) const { return row(id).enrolled_bytes != 0; }
  // The file with that list, as the catalog's file names it.
  [[nodiscard]] std::string_view enrolled(ItemId id) const { return texts(id).enrolled; }
  [[nodiscard]] ItemTerms terms(ItemId id) const;

 private:
  struct Row {
    SaleTerms sale;
    std::unique_ptr<char[]> texts;  // as Texts has them; null: this id is not known yet
    ItemId next = kNoItem;          // in the bucket of the code's hash
    uint8_t code_bytes = 0;
    uint8_t title_bytes = 0;
    uint8_t product_bytes = 0;
    uint8_t enrolled_bytes = 0;
  };
  // One behind the other in one allocation.
  struct Texts {
    std::string_view code, title, product, enrolled;
  };
  static_assert(sizeof(Row) == 64, "one cache line an item");
  static_assert(kNoItem == kNone, "what an empty bucket says");

  const Row& row(ItemId id) const {
    CHECK(contains(id));
    return rows_[id];
  }
  static std::string_view code_of(const Row& row) { return {row.texts.get(), row.code_bytes}; }
  Texts texts(ItemId id) const;

  HashKey key_;
  uint64_t version_ = 0;
  std::vector<Row> rows_;  // by id
  Buckets buckets_;        // by the keyed hash of the code
  CodeFilter filter_;
  mutable ItemId last_found_ = kNoItem;  // in a rush most ask for the same item: no hash for them
};

}  // namespace stampede::stock
