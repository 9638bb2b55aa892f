/**
 * Who may ask for what. Without a token file everybody may, which is for loopback; with one, every
 * request to the API carries a bearer token, and a browser, whose WebSocket cannot, a ticket that
 * it got with its token: good once, for half a minute, and never part of an address, since those
 * are written to logs.
 */
import type { Clock } from "../../base/clock.ts";
import type { Meter } from "../../base/meter.ts";
import { ok, type Result, refuse } from "../../base/result.ts";
import { digestOf, type Scope, type Token } from "./tokens.ts";

/** What a connection was let in with. */
export interface Pass {
  /** Whether it would still be let in: the token is neither revoked nor past its end. */
  isValid(): boolean;
}

export interface Ticket {
  readonly ticket: string;
  readonly expiresMs: number;
}

export interface Access {
  /** Replaces the tokens; whoever has one that is gone is shut out from now on. */
  setTokens(tokens: readonly Token[]): void;
  /** Lets a request in by its `Authorization` header, or says why not. */
  admit(authorization: string | undefined, scope: Scope): Result<Pass>;
  /** A ticket for the holder of this pass. */
  issueTicket(pass: Pass): Ticket;
  /** Lets the holder of a ticket in, which is used up by this. */
  admitTicket(ticket: string): Result<Pass>;
}

export interface AccessSettings {
  readonly clock: Clock;
  readonly meter: Meter;
  randomBytes(size: number): Uint8Array;
}

const ticketMsMax = 30_000;
/** More are not needed in half a minute; the oldest makes room. */
const ticketsMax = 1_000;
const ticketSize = 32;
const everybody: Pass = { isValid: () => true };

/** Access by tokens; until `setTokens` is called nobody needs one. */
export function createAccess(settings: AccessSettings): Access {
  return new TokenAccess(settings);
}

class TokenAccess implements Access {
  readonly #settings: AccessSettings;
  readonly #tickets = new Map<string, { readonly pass: Pass; readonly expiresMs: number }>();
  #tokens: ReadonlyMap<string, Token> | undefined;

  constructor(settings: AccessSettings) {
    this.#settings = settings;
  }

  setTokens(tokens: readonly Token[]): void {
    this.#tokens = new Map(tokens.map((token) => [token.sha256, token]));
  }

  admit(authorization: string | undefined, scope: Scope): Result<Pass> {
    if (this.#tokens === undefined) return ok(everybody);
    const [, text] = /^Bearer ([\w-]{1,256})$/.exec(authorization ?? "") ?? [];
    if (text === undefined) {
      return this.#refuse("UNAUTHENTICATED", "send authorization: Bearer <token>");
    }
    const sha256 = digestOf(text);
    const token = this.#tokens.get(sha256);
    if (token === undefined) return this.#refuse("UNAUTHENTICATED", "the token is not known");
    if (this.#settings.clock.nowMs() >= token.expiresMs) {
      return this.#refuse("UNAUTHENTICATED", "the token is past its end; make another");
    }
    if (token.scope !== scope && token.scope !== "admin") {
      const message = `the token has the scope ${token.scope}, this needs ${scope}`;
      return this.#refuse("PERMISSION_DENIED", message);
    }
    return ok({ isValid: () => this.#stands(sha256) });
  }

  issueTicket(pass: Pass): Ticket {
    const { clock, randomBytes } = this.#settings;
    const ticket = Buffer.from(randomBytes(ticketSize)).toString("base64url");
    const expiresMs = clock.nowMs() + ticketMsMax;
    this.#tickets.set(ticket, { pass, expiresMs });
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size > ticketsMax && oldest !== undefined) this.#tickets.delete(oldest);
    return { ticket, expiresMs };
  }

  admitTicket(ticket: string): Result<Pass> {
    const issued = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    const isGood = issued !== undefined && this.#settings.clock.nowMs() < issued.expiresMs;
    if (isGood && issued.pass.isValid()) return ok(issued.pass);
    return this.#refuse("UNAUTHENTICATED", "the ticket is used, too old or not known");
  }

  #stands(sha256: string): boolean {
    const token = this.#tokens?.get(sha256);
    return token !== undefined && this.#settings.clock.nowMs() < token.expiresMs;
  }

  #refuse(code: "UNAUTHENTICATED" | "PERMISSION_DENIED", message: string): Result<never> {
    const { meter } = this.#settings;
    meter.counter("brunt_collector_access_refused_total", "requests refused", { code }).add();
    return refuse(code, message);
  }
}
