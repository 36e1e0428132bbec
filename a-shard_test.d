shard_test.o: test/unit/shard/shard_test.cc src/shard/shard.h \
 src/base/clock.h src/base/thread_owner.h src/base/check.h \
 src/ledger/ledger.h src/ledger/messages.h src/base/hash.h src/order.h \
 src/base/text.h src/bounds.h src/net/net.h src/net/address.h \
 src/base/result.h src/orderlog/disk.h src/orderlog/writer.h \
 src/orderlog/files.h src/orderlog/format.h src/orderlog/marks.h \
 src/orderlog/record.h src/orderlog/segments.h src/shard/connections.h \
 src/door/address_table.h src/base/reserved.h src/door/address.h \
 src/door/limits.h src/door/rules.h src/door/block_list.h \
 src/door/network.h src/door/enrolment.h src/http/date_text.h \
 src/http/parser.h src/http/response.h src/http/verdicts.h \
 src/http/writer.h src/shard/idle_line.h src/base/slab.h \
 src/shard/listeners.h src/shard/metrics.h src/base/histogram.h \
 src/stock/refusals.h src/shard/request_handler.h src/shard/output.h \
 src/net/buffers.h src/shard/places.h src/http/origins.h \
 src/stock/timer_wheel.h src/shard/mailbox.h src/base/lane.h \
 src/base/ring.h src/shard/process.h src/ledger/embedded.h \
 src/ledger/book.h src/ledger/operators.h src/net/doorbell.h \
 src/shard/public_api.h src/door/keys.h src/http/json.h src/http/routes.h \
 src/shard/admission.h src/stock/catalog.h src/base/buckets.h \
 src/stock/code_filter.h src/shard/catalog_pages.h src/shard/long_polls.h \
 src/shard/order_lists.h src/shard/orders.h src/stock/desk.h \
 src/stock/journal.h src/stock/stream_state.h src/base/text_arena.h \
 src/stock/leases.h src/stock/lines.h src/stock/order_limits.h \
 src/stock/order_rates.h src/stock/steady_wall.h src/stock/user_windows.h \
 src/shard/reload.h src/door/operators.h src/shard/stock_questions.h \
 src/shard/stop.h test/unit/shard/../../world/world.h \
 test/unit/shard/../../world/buyer.h \
 test/unit/shard/../../world/fake_net.h \
 test/unit/shard/../../world/fake_clock.h \
 test/unit/shard/../../world/fake_disk.h \
 test/unit/shard/../../world/fake_ledger.h src/node/restore.h \
 src/node/start.h src/orderlog/recovery.h src/orderlog/reader.h \
 src/orderlog/snapshot.h src/orderlog/directory.h src/shard/admin.h \
 src/http/own_hosts.h src/shard/admin_routes.h src/shard/audits.h \
 src/shard/item_changes.h src/shard/change_host.h \
 src/stock/catalog_json.h src/shard/rules_changes.h src/shard/levers.h \
 src/shard/server_metrics.h test/unit/shard/../base/death.h
src/shard/shard.h:
src/base/clock.h:
src/base/thread_owner.h:
src/base/check.h:
src/ledger/ledger.h:
src/ledger/messages.h:
src/base/hash.h:
src/order.h:
src/base/text.h:
src/bounds.h:
src/net/net.h:
src/net/address.h:
src/base/result.h:
src/orderlog/disk.h:
src/orderlog/writer.h:
src/orderlog/files.h:
src/orderlog/format.h:
src/orderlog/marks.h:
src/orderlog/record.h:
src/orderlog/segments.h:
src/shard/connections.h:
src/door/address_table.h:
src/base/reserved.h:
src/door/address.h:
src/door/limits.h:
src/door/rules.h:
src/door/block_list.h:
src/door/network.h:
src/door/enrolment.h:
src/http/date_text.h:
src/http/parser.h:
src/http/response.h:
src/http/verdicts.h:
src/http/writer.h:
src/shard/idle_line.h:
src/base/slab.h:
src/shard/listeners.h:
src/shard/metrics.h:
src/base/histogram.h:
src/stock/refusals.h:
src/shard/request_handler.h:
src/shard/output.h:
src/net/buffers.h:
src/shard/places.h:
src/http/origins.h:
src/stock/timer_wheel.h:
src/shard/mailbox.h:
src/base/lane.h:
src/base/ring.h:
src/shard/process.h:
src/ledger/embedded.h:
src/ledger/book.h:
src/ledger/operators.h:
src/net/doorbell.h:
src/shard/public_api.h:
src/door/keys.h:
src/http/json.h:
src/http/routes.h:
src/shard/admission.h:
src/stock/catalog.h:
src/base/buckets.h:
src/stock/code_filter.h:
src/shard/catalog_pages.h:
src/shard/long_polls.h:
src/shard/order_lists.h:
src/shard/orders.h:
src/stock/desk.h:
src/stock/journal.h:
src/stock/stream_state.h:
src/base/text_arena.h:
src/stock/leases.h:
src/stock/lines.h:
src/stock/order_limits.h:
src/stock/order_rates.h:
src/stock/steady_wall.h:
src/stock/user_windows.h:
src/shard/reload.h:
src/door/operators.h:
src/shard/stock_questions.h:
src/shard/stop.h:
test/unit/shard/../../world/world.h:
test/unit/shard/../../world/buyer.h:
test/unit/shard/../../world/fake_net.h:
test/unit/shard/../../world/fake_clock.h:
test/unit/shard/../../world/fake_disk.h:
test/unit/shard/../../world/fake_ledger.h:
src/node/restore.h:
src/node/start.h:
src/orderlog/recovery.h:
src/orderlog/reader.h:
src/orderlog/snapshot.h:
src/orderlog/directory.h:
src/shard/admin.h:
src/http/own_hosts.h:
src/shard/admin_routes.h:
src/shard/audits.h:
src/shard/item_changes.h:
src/shard/change_host.h:
src/stock/catalog_json.h:
src/shard/rules_changes.h:
src/shard/levers.h:
src/shard/server_metrics.h:
test/unit/shard/../base/death.h:
