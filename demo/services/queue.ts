/** The MQTT broker: a part the shop did not write, and that tells nobody how it is. */
import { type AddressInfo, createServer } from "node:net";
import { Aedes } from "aedes";
import { ready } from "../line.ts";

const broker = await Aedes.createBroker();
const server = createServer(broker.handle);
server.listen(0, "127.0.0.1", () => ready((server.address() as AddressInfo).port));
