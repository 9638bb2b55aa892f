/** The collector wants a token: where to put one, and how to come by it. */
import type { FormEvent } from "react";
import { storeToken } from "../api/token.ts";

export function TokenForm({ onToken }: { onToken: () => void }) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    storeToken(String(new FormData(event.currentTarget).get("token") ?? ""));
    onToken();
  };
  return (
    <form className="first-steps" onSubmit={submit}>
      <h2 className="pane-title">This collector wants a token</h2>
      <p>
        <label>
          Token{" "}
          <input name="token" type="password" autoComplete="off" required spellCheck={false} />
        </label>{" "}
        <button type="submit">open</button>
      </p>
      <p>It is kept until this tab is closed. On the collector's machine this makes one:</p>
      <pre>
        <code>brunt token create --name me --scope read</code>
      </pre>
    </form>
  );
}
