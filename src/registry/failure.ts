/** How an exchange with a registry fails, in words for the person who has to do something about it. */
import { BockerError, messageOf } from "../base/errors.ts";

/** A failure that another attempt may cure. */
export class TransientError extends BockerError {
  /** What the server asked for, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(message: string, options: { cause?: unknown; retryAfter?: number | undefined } = {}) {
    super("registry", message, options);
    this.retryAfter = options.retryAfter;
  }
}

/** The server cannot be spoken to at all in this way: for a registry on this machine, http is tried next. */
export class NoHttpsError extends BockerError {
  constructor(message: string, cause: unknown) {
    super("registry", message, { cause });
  }
}

const CERTIFICATE_CODES =
  /^(UNABLE_TO_|CERT_|ERR_TLS_CERT_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA)/;
/** Node and Bun name the answer of a server without TLS differently. */
const NOT_TLS_CODES = /^(EPROTO|ERR_SSL_|ERR_SOCKET_CLOSED)/;
const RESET_CODES = new Set(["ECONNRESET", "EPIPE", "ERR_SOCKET_CLOSED", "UND_ERR_SOCKET", "EAI_AGAIN"]);

/** The error for a request that got no answer. */
export function connectionError(error: unknown, url: URL): unknown {
  if (error instanceof BockerError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
  const { host } = url;
  if (code === "ECONNREFUSED") {
    const message = `cannot connect to ${host}: connection refused: check that the registry is running and that its port is right`;
    return url.protocol === "https:"
      ? new NoHttpsError(message, error)
      : new BockerError("registry", message, { cause: error });
  }
  if (code === "ENOTFOUND")
    return new BockerError(
      "registry",
      `cannot find ${host}: no such host: check the name and the DNS settings`,
      {
        cause: error,
      },
    );
  if (CERTIFICATE_CODES.test(code))
    return new BockerError(
      "registry",
      `the certificate of ${host} is not trusted: ${messageOf(error)}: put the CA's certificate into /etc/docker/certs.d/${host}/ca.crt`,
      { cause: error },
    );
  if (url.protocol === "https:" && NOT_TLS_CODES.test(code))
    return new NoHttpsError(`${host} does not answer in HTTPS: ${messageOf(error)}`, error);
  if (url.protocol === "https:" && code === "ECONNRESET" && /before secure TLS/.test(messageOf(error)))
    return new NoHttpsError(`${host} closed the connection before HTTPS began`, error);
  const message =
    code === "EAI_AGAIN"
      ? `cannot look up ${host}: no nameserver answers: is this machine connected?`
      : `the connection to ${host} failed: ${messageOf(error)}`;
  if (RESET_CODES.has(code)) return new TransientError(message, { cause: error });
  return new BockerError("registry", message, { cause: error });
}

interface RegistryFault {
  code: string;
  message: string;
}

/** The errors of a body (distribution spec, "Error Codes"); none where the body is something else. */
export function faultsOf(body: string): RegistryFault[] {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return [];
  }
  const errors = (document as { errors?: unknown } | null)?.errors;
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((fault: unknown) => {
    const { code, message } = (fault ?? {}) as Partial<RegistryFault>;
    return typeof code === "string" ? [{ code, message: typeof message === "string" ? message : "" }] : [];
  });
}

/** As docker/distribution prints one: "manifest unknown: manifest unknown". */
export function faultText({ code, message }: RegistryFault): string {
  const name = code.toLowerCase().replaceAll("_", " ");
  return message === "" ? name : `${name}: ${message}`;
}

const DAY_SECONDS = 86_400;

/** Retry-After in milliseconds: seconds or a date (RFC 9110, 10.2.3); undefined for neither. */
export function retryAfterOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Math.min(Number(header), DAY_SECONDS) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
