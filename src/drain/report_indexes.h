// Indexes that reports need and the drainer does not. They double the drainer's cost of a row, so they are made when an
// operator asks for them (`stampede drain --indexes`), once, beside a running server:
//
//   orders_by_item     orders(item, state)       how much of an item is sold, paid, open
//   orders_by_user     orders(user_id)           the orders of a buyer
//   orders_by_time     orders(created_at)        the orders of a day or an hour
//   payments_by_time   payments(received_at)     the payments of a day or an hour
//
// PostgreSQL makes them CONCURRENTLY: the drainer writes on. SQLite has one writer: the drainer waits for each
// index to be done and then catches up; the sale goes on, as it never waits for the drainer.
#pragma once

#include <functional>
#include <string_view>

#include "drain/database.h"

namespace stampede::drain {

// `on_index` is called with the name of each before it is made; those that are there already take no time. Not for
// `none`. The error is the database's; indexes that are made stay, and the call can be repeated.
[[nodiscard]] Status make_report_indexes(const DatabaseUrl& url,
                                         const std::function<void(std::string_view)>& on_index);

}  // namespace stampede::drain
