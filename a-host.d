host.o: test/sim/host.cc test/sim/host.h test/sim/journal.h \
 test/sim/machine.h test/sim/../world/fake_net.h \
 test/sim/../world/fake_clock.h src/base/clock.h src/net/net.h \
 src/net/address.h src/base/result.h src/base/check.h test/sim/disk.h \
 test/sim/machine_files.h test/sim/faults.h test/sim/random.h \
 test/sim/stored_names.h test/sim/stored_file.h src/orderlog/files.h \
 src/bounds.h src/orderlog/format.h src/order.h src/base/text.h \
 src/orderlog/marks.h src/orderlog/disk.h src/node/machine.h \
 src/cluster/redis_access.h src/cluster/redis_url.h src/cluster/scripts.h \
 src/cluster/script_caller.h src/cluster/epoch_link.h \
 src/cluster/script_link.h src/cluster/registry.h src/drain/database.h \
 src/drain/sink.h src/drain/batch.h src/drain/item_names.h \
 src/orderlog/record.h src/stream_key.h src/drain/known_order.h \
 src/net/descriptor_budget.h src/orderlog/segments.h test/sim/servers.h \
 test/sim/database.h test/sim/files.h test/sim/plan.h test/sim/redis.h \
 test/sim/redis_scripts.h test/sim/redis_store.h test/sim/registry.h \
 src/node/node.h src/drain/drainer.h src/drain/comparison.h \
 src/drain/source.h src/drain/start_case.h src/drain/drain_rate.h \
 src/drain/kinship.h src/node/data.h src/node/ending.h \
 src/node/findings.h src/node/start.h src/node/restore.h \
 src/orderlog/recovery.h src/orderlog/reader.h src/orderlog/snapshot.h \
 src/stock/stream_state.h src/base/buckets.h src/base/reserved.h \
 src/base/slab.h src/base/hash.h src/base/text_arena.h \
 src/stock/catalog.h src/stock/code_filter.h src/orderlog/directory.h \
 src/node/drain_streams.h src/drain/log_source.h src/node/enrolments.h \
 src/door/enrolment.h src/node/items.h src/node/notices.h \
 src/stock/catalog_json.h src/node/join.h src/cluster/terms.h \
 src/node/ledgers.h src/cluster/coordinator.h src/cluster/epoch_check.h \
 src/cluster/join_lines.h src/ledger/operators.h src/ledger/messages.h \
 src/cluster/redis_ledger.h src/ledger/embedded.h src/base/lane.h \
 src/ledger/book.h src/ledger/ledger.h src/cluster/redis_operators.h \
 src/node/settings.h src/door/rules.h src/door/block_list.h \
 src/door/network.h src/door/address.h src/door/limits.h \
 src/http/origins.h src/http/own_hosts.h src/http/parser.h \
 src/shard/shard.h src/base/thread_owner.h src/orderlog/writer.h \
 src/shard/connections.h src/door/address_table.h src/http/date_text.h \
 src/http/response.h src/http/verdicts.h src/http/writer.h \
 src/shard/idle_line.h src/shard/listeners.h src/shard/metrics.h \
 src/base/histogram.h src/stock/refusals.h src/shard/request_handler.h \
 src/shard/output.h src/net/buffers.h src/shard/places.h \
 src/stock/timer_wheel.h src/shard/mailbox.h src/base/ring.h \
 src/shard/process.h src/net/doorbell.h src/shard/public_api.h \
 src/door/keys.h src/http/json.h src/http/routes.h src/shard/admission.h \
 src/shard/catalog_pages.h src/shard/long_polls.h src/shard/order_lists.h \
 src/shard/orders.h src/stock/desk.h src/stock/journal.h \
 src/stock/leases.h src/stock/lines.h src/stock/order_limits.h \
 src/stock/order_rates.h src/stock/steady_wall.h src/stock/user_windows.h \
 src/shard/reload.h src/door/operators.h src/shard/stock_questions.h \
 src/shard/stop.h src/shard/server_metrics.h src/node/snapshotter.h \
 src/shard/admin.h src/shard/admin_routes.h src/shard/audits.h \
 src/shard/item_changes.h src/shard/change_host.h \
 src/shard/rules_changes.h src/shard/levers.h test/sim/ended.h \
 test/sim/world_terms.h
test/sim/host.h:
test/sim/journal.h:
test/sim/machine.h:
test/sim/../world/fake_net.h:
test/sim/../world/fake_clock.h:
src/base/clock.h:
src/net/net.h:
src/net/address.h:
src/base/result.h:
src/base/check.h:
test/sim/disk.h:
test/sim/machine_files.h:
test/sim/faults.h:
test/sim/random.h:
test/sim/stored_names.h:
test/sim/stored_file.h:
src/orderlog/files.h:
src/bounds.h:
src/orderlog/format.h:
src/order.h:
src/base/text.h:
src/orderlog/marks.h:
src/orderlog/disk.h:
src/node/machine.h:
src/cluster/redis_access.h:
src/cluster/redis_url.h:
src/cluster/scripts.h:
src/cluster/script_caller.h:
src/cluster/epoch_link.h:
src/cluster/script_link.h:
src/cluster/registry.h:
src/drain/database.h:
src/drain/sink.h:
src/drain/batch.h:
src/drain/item_names.h:
src/orderlog/record.h:
src/stream_key.h:
src/drain/known_order.h:
src/net/descriptor_budget.h:
src/orderlog/segments.h:
test/sim/servers.h:
test/sim/database.h:
test/sim/files.h:
test/sim/plan.h:
test/sim/redis.h:
test/sim/redis_scripts.h:
test/sim/redis_store.h:
test/sim/registry.h:
src/node/node.h:
src/drain/drainer.h:
src/drain/comparison.h:
src/drain/source.h:
src/drain/start_case.h:
src/drain/drain_rate.h:
src/drain/kinship.h:
src/node/data.h:
src/node/ending.h:
src/node/findings.h:
src/node/start.h:
src/node/restore.h:
src/orderlog/recovery.h:
src/orderlog/reader.h:
src/orderlog/snapshot.h:
src/stock/stream_state.h:
src/base/buckets.h:
src/base/reserved.h:
src/base/slab.h:
src/base/hash.h:
src/base/text_arena.h:
src/stock/catalog.h:
src/stock/code_filter.h:
src/orderlog/directory.h:
src/node/drain_streams.h:
src/drain/log_source.h:
src/node/enrolments.h:
src/door/enrolment.h:
src/node/items.h:
src/node/notices.h:
src/stock/catalog_json.h:
src/node/join.h:
src/cluster/terms.h:
src/node/ledgers.h:
src/cluster/coordinator.h:
src/cluster/epoch_check.h:
src/cluster/join_lines.h:
src/ledger/operators.h:
src/ledger/messages.h:
src/cluster/redis_ledger.h:
src/ledger/embedded.h:
src/base/lane.h:
src/ledger/book.h:
src/ledger/ledger.h:
src/cluster/redis_operators.h:
src/node/settings.h:
src/door/rules.h:
src/door/block_list.h:
src/door/network.h:
src/door/address.h:
src/door/limits.h:
src/http/origins.h:
src/http/own_hosts.h:
src/http/parser.h:
src/shard/shard.h:
src/base/thread_owner.h:
src/orderlog/writer.h:
src/shard/connections.h:
src/door/address_table.h:
src/http/date_text.h:
src/http/response.h:
src/http/verdicts.h:
src/http/writer.h:
src/shard/idle_line.h:
src/shard/listeners.h:
src/shard/metrics.h:
src/base/histogram.h:
src/stock/refusals.h:
src/shard/request_handler.h:
src/shard/output.h:
src/net/buffers.h:
src/shard/places.h:
src/stock/timer_wheel.h:
src/shard/mailbox.h:
src/base/ring.h:
src/shard/process.h:
src/net/doorbell.h:
src/shard/public_api.h:
src/door/keys.h:
src/http/json.h:
src/http/routes.h:
src/shard/admission.h:
src/shard/catalog_pages.h:
src/shard/long_polls.h:
src/shard/order_lists.h:
src/shard/orders.h:
src/stock/desk.h:
src/stock/journal.h:
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
src/shard/server_metrics.h:
src/node/snapshotter.h:
src/shard/admin.h:
src/shard/admin_routes.h:
src/shard/audits.h:
src/shard/item_changes.h:
src/shard/change_host.h:
src/shard/rules_changes.h:
src/shard/levers.h:
test/sim/ended.h:
test/sim/world_terms.h:
