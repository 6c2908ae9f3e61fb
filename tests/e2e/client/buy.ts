/**
 * A customer's way through the shop, with a client whose types are generated from the OpenAPI document: what the document says wrongly
 * does not compile. `node buy.js http://127.0.0.1:5000 NAME PASSWORD` registers, buys the first product and prints the order.
 */
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[] };

const [, , baseUrl, username, password] = process.argv as [string, string, string, string, string];
const shop = createClient<paths>({ baseUrl });

/** The data of an answer; an error is thrown with its code and message. */
async function data<T>(
  asked: Promise<{ data?: { data: T }; error?: { code: number; message: string } }>,
): Promise<T> {
  const { data, error } = await asked;
  if (data === undefined) {
    throw new Error(`${error?.code}: ${error?.message}`);
  }
  return data.data;
}

async function signIn(): Promise<void> {
  await data(
    shop.POST("/auth/register", { body: { username, password, email: `${username}@example.com` } }),
  );
  const tokens = await data(shop.POST("/auth/login", { body: { username, password } }));
  if (!("access_token" in tokens)) {
    throw new Error("a second factor is wanted");
  }
  shop.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens.access_token}`);
    },
  });
}

async function choose() {
  const page = await data(shop.GET("/api/v1/products", { params: { query: { page: 1, size: 10 } } }));
  const first = page.items[0];
  if (first === undefined) {
    throw new Error("nothing is on sale");
  }
  return data(
    shop.GET("/api/v1/products/{product_id}", { params: { path: { product_id: first.id } } }),
  );
}

async function addAddress(): Promise<string> {
  const address = {
    name: "王小明",
    mobile: "13800138000",
    province: "浙江省",
    city: "杭州市",
    district: "西湖区",
    detail: "文三路 90 号",
    main: true,
  };
  return data(shop.POST("/api/v1/addresses", { body: address }));
}

async function fillCart(skuIds: string[]) {
  for (const sku_id of skuIds) {
    await shop.PUT("/api/v1/cart/lines/{sku_id}", {
      params: { path: { sku_id } },
      body: { quantity: 2, selected: true },
    });
  }
  return data(shop.GET("/api/v1/cart"));
}

await signIn();
const product = await choose();
const address_id = await addAddress();
const cart = await fillCart(product.skus.slice(0, 2).map((sku) => sku.id));
const lines = cart.lines.map(({ sku_id, quantity, price_fen }) => ({ sku_id, quantity, price_fen }));
const preview = await data(
  shop.POST("/api/v1/orders/preview", {
    body: { address_id, lines: lines.map(({ sku_id, quantity }) => ({ sku_id, quantity })) },
  }),
);
const order = {
  params: { header: { "Idempotency-Key": `${Date.now()}-${Math.random()}` } },
  body: { address_id, lines, from_cart: true },
};
const placed = await data(shop.POST("/api/v1/orders", order));
// The answer may get lost: the same request again is the same order.
const again = await data(shop.POST("/api/v1/orders", order));
const payment = await data(
  shop.POST("/api/v1/orders/{number}/payments", {
    params: { path: { number: placed.number } },
    body: { provider: "offline" },
  }),
);
const seen = await data(
  shop.GET("/api/v1/orders/{number}", { params: { path: { number: placed.number } } }),
);
const left = await data(shop.GET("/api/v1/cart"));
console.log(
  JSON.stringify({
    number: placed.number,
    again: again.number,
    preview_fen: preview.total_fen,
    total_fen: placed.total_fen,
    payment_fen: payment.amount_fen,
    state: seen.state,
    left_in_cart: left.lines.length,
  }),
);
