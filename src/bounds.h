// Every bound of the program in one file, tied together at compile time. Full is an answer, never a wait.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stampede::bounds {

// Identities
constexpr uint32_t slot_count = 1u << 14;  // users are dealt to shards by slot; order ids carry it
constexpr uint32_t shard_count_max = 64;
constexpr uint32_t node_max = 1023;
constexpr unsigned user_bytes_max = 64;
constexpr unsigned key_bytes_max = 255;  // an Idempotency-Key as clients send it
constexpr unsigned stored_key_bytes_max =
    64;  // as messages and records carry it; longer ones as a digest
constexpr unsigned payment_id_bytes_max = 64;
constexpr unsigned item_code_bytes_max = 64;
constexpr unsigned item_title_bytes_max = 200;
constexpr unsigned product_bytes_max = 64;  // the number that an opaque code stands for
constexpr unsigned enrolled_file_bytes_max =
    200;  // the name of a list of users, as a catalog has it
constexpr unsigned op_id_bytes_max = 64;
constexpr unsigned admin_text_bytes_max = 200;  // who and what of an operator's change, each
constexpr uint64_t item_count_max = 1'000'000;

constexpr uint64_t sequence_gap_after_loss = 1'000'000'000;  // numbers left out; there are 2^40

// Values
constexpr uint64_t stock_max = uint64_t{1} << 40;
constexpr uint64_t shared_supply_max = uint64_t{1}
                                       << 52;  // of an item, ever: Lua counts in doubles
constexpr uint32_t quantity_max = 1000;  // units in one order, when the item sets no lower limit
constexpr int64_t price_max = int64_t{1} << 43;  // minor units of one unit
constexpr int64_t money_max = int64_t{1} << 53;  // exact in every JSON reader
constexpr int64_t pay_window_s_max = 30LL * 24 * 3600;
constexpr uint32_t per_user_limit_max = 1'000'000;  // more is no limit
constexpr uint32_t order_rate_max = 1'000'000'000;  // new reservations a second; more is no limit
static_assert(price_max * quantity_max <= money_max, "the amount of an order stays exact");

// HTTP
constexpr size_t target_bytes_max = 2 * 1024;
constexpr size_t head_bytes_max = 8 * 1024;
constexpr unsigned header_count_max = 64;
constexpr size_t body_bytes_max = 4 * 1024;
constexpr size_t chunk_extension_bytes_max = 64;  // in one body altogether
constexpr size_t trailer_bytes_max = 1024;
// The largest body as the wire carries it: every data byte may be a chunk of its own ("1\r\nx\r\n").
constexpr size_t request_bytes_max =
    head_bytes_max + 6 * body_bytes_max + chunk_extension_bytes_max + trailer_bytes_max + 64;
constexpr unsigned json_depth_max = 64;  // of a body, its own object included
constexpr unsigned pipelined_max = 64;  // unanswered requests of one connection; then reading stops
constexpr uint32_t requests_per_connection_max = 100'000'000;
constexpr size_t output_bytes_max = 64 * 1024;  // queued for one connection; then reading stops
constexpr unsigned wait_ms_max = 30'000;        // long poll
constexpr unsigned list_orders_max = 1000;      // newest orders in one list

// Pages of other origins
constexpr unsigned origins_max = 16;
constexpr unsigned origin_bytes_max = 128;
constexpr unsigned origin_lines_bytes_max = 256;  // what an answer says to one

// Who may ask
constexpr unsigned key_id_bytes_max = 32;
constexpr unsigned keys_per_kind_max =
    8;  // two while one replaces the other; each payment tries all
constexpr int64_t signature_skew_s_max = 300;  // how far a payment's time may be from ours
constexpr int64_t link_valid_s = 300;          // from being asked for to the order

// Limits on orders
constexpr uint32_t rate_requests_max = 1'000'000'000;  // of a rate N/T
constexpr size_t user_window_cells = size_t{1} << 24;  // of all shards together, 16 bytes each
constexpr uint32_t open_per_user_max = 1'000;
constexpr uint32_t lapses_free = 2;          // reservations that a user may let expire
constexpr uint32_t lapse_doublings_max = 4;  // of the pause behind further ones
constexpr int64_t lapse_pause_ms_max = 24LL * 3600 * 1000;
constexpr int64_t lapse_ahead_ms_max = 60'000;   // further ahead: the wall clock was set back
constexpr int64_t order_burst_ms = 50;           // a bucket holds the tokens of so long, and one
constexpr int64_t order_spread_ms_max = 30'000;  // over which refused clients come back
constexpr uint32_t refusal_items = 128;          // whose refusals a shard counts by reason

// HTTP deadlines
constexpr int64_t head_deadline_ms = 5'000;  // from a request's first byte to the end of its head
constexpr int64_t body_deadline_ms = 5'000;
constexpr int64_t idle_deadline_ms = 15'000;   // keep-alive without a request
constexpr int64_t write_deadline_ms = 10'000;  // output that the client does not take
constexpr int64_t linger_deadline_ms =
    1'000;  // after a refusal that closes: let the client read it
constexpr size_t linger_bytes_max = 64 * 1024;

// A shard
constexpr uint64_t orders_per_shard_max = 500'000'000;
constexpr uint32_t connections_max = 1u << 17;  // a shard's table; descriptors usually end earlier
constexpr uint32_t places_max = 1u << 17;       // unanswered requests of all connections of a shard
constexpr uint32_t items_per_page = 1000;       // of GET /v1/items
constexpr uint32_t events_per_turn_max = 512;
constexpr uint32_t accepts_per_turn_max = 64;
constexpr uint32_t orders_waiting_max =
    1u << 14;                               // requests that wait for units, all items of a shard
constexpr int64_t wait_for_units_ms = 100;  // then the answer is try_again
constexpr int64_t late_payment_wait_ms =
    250;  // the same: no unit may be missed before money goes back
// Clients that wait for accept(); the kernel cuts it to net.core.somaxconn. One that finds the queue full waits a second
// for its next SYN, and a flash sale opens with a wave of them.
constexpr int listen_backlog = 65'535;
// Buffers are lent: to input that is no whole request yet and to output that the socket did not take.
constexpr uint32_t chunks_small_max = 1u << 16;    // 4 KiB each
constexpr uint32_t chunks_medium_max = 1u << 13;   // 16 KiB each
constexpr uint32_t chunks_large_max = 1u << 10;    // 64 KiB each
constexpr uint32_t watchers_max = 1u << 16;        // long polls on orders of a shard
constexpr uint32_t orders_per_holding_max = 1000;  // of one user for one item with a purchase limit
constexpr uint32_t expiries_per_turn_max = 256;

// Mailboxes, per ordered pair of shards
constexpr uint32_t order_credits = 1024;  // requests under way: each has a place for its answer
constexpr uint32_t answer_slots =
    4 * order_credits;  // 2 × order_credits for answers of both lanes, the rest for notices
constexpr uint32_t ledger_slots = 4096;
constexpr uint32_t control_slots = 256;
constexpr uint32_t batch_orders_max = 256;     // taken from one mailbox in one turn
constexpr uint32_t decided_together_max = 64;  // requests whose memory is fetched together

// Operators
constexpr uint32_t audit_pages_max = 64;         // pages of the audit that wait for their turn
constexpr uint32_t metrics_items_max = 100;      // with samples of their own in /metrics
constexpr uint32_t scrapes_max = 16;             // of /metrics that wait for their turn
constexpr uint32_t changes_under_way_max = 256;  // whose answers wait for the disk or the ledger
constexpr uint32_t op_repeats_max = 64;          // copies of one restock that wait for its answer
constexpr uint32_t op_ids_max = 1u
                                << 20;  // restocks that are remembered, so that none is done twice
static_assert(op_ids_max <= UINT64_MAX / stock_max, "what is ever supplied stays below 2^64");
constexpr unsigned operators_max = 64;    // names with a token
constexpr uint32_t turns_kept = 1000;     // of a shard, with the times of their phases
constexpr uint32_t slow_turns_kept = 32;  // beside them, of those above --slow-turn-us
constexpr unsigned operator_token_bytes_min = 16;
constexpr size_t blocked_lines_max = 10'000'000;  // of the file
constexpr size_t blocked_words_max = 10'000;      // that operators said beside it
constexpr uint32_t blocked_per_page = 1000;
constexpr size_t admin_message_bytes_max = 160;  // of a refusal, before escaping

// Ledger
constexpr uint32_t lines_per_exchange_max =
    512;  // items in one exchange of a shard with the ledger
static_assert(ledger_slots >= 4 * lines_per_exchange_max);
constexpr int64_t idle_pool_ms = 50;        // a pool without demand goes back after this
constexpr int64_t sold_out_reread_ms = 50;  // a sold-out item that is asked for is read again
constexpr int64_t sold_out_valid_ms = 100;  // how old the news behind a sold_out may be
static_assert(2 * sold_out_reread_ms <= sold_out_valid_ms);
static_assert(2 * sold_out_valid_ms <= late_payment_wait_ms);

// Order log
constexpr size_t log_block_bytes = 4096;
constexpr size_t record_bytes_max = 1024;
constexpr size_t batch_bytes_max = 1024 * 1024;
constexpr size_t segment_bytes_default = 64 * 1024 * 1024;
constexpr size_t segment_bytes_min = 2 * batch_bytes_max;
constexpr size_t segment_bytes_max = size_t{1} << 30;
constexpr uint32_t segments_ready_min = 2;  // prepared ahead of the one in use
constexpr uint32_t segments_ready_max = 4;  // as many come back by recycling; more are removed
static_assert(segments_ready_min <= segments_ready_max);
constexpr int64_t segment_retry_ms = 100;          // after a preparation that failed (full disk)
constexpr int64_t log_write_watchdog_ms = 10'000;  // a write that takes longer ends the process
// A batch keeps this much for payments, expiries, returns and cancels when new orders are refused for lack of room.
constexpr size_t batch_reserve_bytes = 256 * 1024;
// Of it, this much is left for grants and returns, which cannot be refused.
constexpr size_t change_room_bytes = 64 * 1024;
static_assert(change_room_bytes >= lines_per_exchange_max * 64 + record_bytes_max);
static_assert(batch_reserve_bytes >= expiries_per_turn_max * 256);

// Stopping
constexpr int64_t stop_ledger_ms = 2'000;  // then the ledger learns of returned units from the log
constexpr int64_t stop_ms_max = 8'000;     // then a shard is sealed as it is
static_assert(stop_ledger_ms < stop_ms_max);

// Drainer
constexpr size_t drain_records_per_transaction =
    8192;                                 // and what is left of the log batch that reaches it
constexpr int64_t drain_gather_ms = 100;  // a smaller transaction waits this long for company: its
                                          // fsync holds up the order log on the same disk
constexpr int64_t drain_retry_ms_min = 10;  // after a failure; doubles
constexpr int64_t drain_retry_ms_max = 1'000;

// PostgreSQL
constexpr int postgres_connect_s = 5;              // for each host of the URL
constexpr int64_t postgres_statement_ms = 10'000;  // then the server gives a statement up
constexpr int64_t postgres_lock_ms = 3'000;        // of them, for somebody else's lock
constexpr int64_t postgres_read_ms =
    60'000;  // the same for a checker's statement, which reads a lot
constexpr int64_t postgres_silence_ms = 2'000;  // beyond that we give the connection up
static_assert(postgres_lock_ms < postgres_statement_ms);

}  // namespace stampede::bounds
