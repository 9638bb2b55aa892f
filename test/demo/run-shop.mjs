/** A runner to be killed: starts the shop and tells its processes' ids. */
const [shopUrl, otlpEndpoint] = process.argv.slice(2);
const { startShop } = await import(shopUrl);
const log = { info() {}, warn() {}, error() {} };
const shop = await startShop({ otlpEndpoint, seed: 1, log, requestsPerSecond: 20 });
process.send(shop.pids);
