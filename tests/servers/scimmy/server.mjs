// An ordinary in-memory SCIMMY server, as its documentation shows one, with Whimsical's extension.
// Arguments: how many users to begin with. Environment: SCIM_TOKEN. Prints its port, and ends when its input does.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const EXTENSION = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User";
const users = new Map();

function keep(id, data) {
  const now = new Date().toISOString();
  const meta = { created: users.get(id)?.meta.created ?? now, lastModified: now };
  users.set(id, { ...data, id, meta });
  return users.get(id);
}

function known(id) {
  if (!users.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
  return users.get(id);
}

const editor = new SCIMMY.Types.Attribute("boolean", "editor", { description: "True is an editor, false a viewer" });
SCIMMY.Resources.User.extend(
  new SCIMMY.Types.SchemaDefinition("WhimsicalUser", EXTENSION, "The role of a member of the workspace", [editor]),
);

SCIMMY.Resources.declare(SCIMMY.Resources.User)
  .ingress((resource, data) => {
    if (resource.id) known(resource.id);
    const { schemas, meta, ...kept } = JSON.parse(JSON.stringify(data));
    const login = kept.userName.toLowerCase();
    const taken = [...users.values()].some((user) => user.id !== resource.id && user.userName.toLowerCase() === login);
    if (taken) throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
    return keep(resource.id ?? randomUUID(), kept);
  })
  .egress((resource) => {
    if (resource.id) return known(resource.id);
    const all = [...users.values()];
    return resource.filter ? resource.filter.match(all) : all;
  })
  .degress((resource) => {
    known(resource.id);
    users.delete(resource.id);
  });

for (let number = 1; number <= Number(process.argv[2] ?? 0); number++) {
  const userName = `person${number}@example.com`;
  keep(randomUUID(), {
    userName,
    name: { givenName: `Person ${number}`, familyName: "Invented" },
    emails: [{ value: userName, type: "work", primary: true }],
    active: true,
    ...(number % 9 ? { [EXTENSION]: { editor: number % 3 === 0 } } : {}),
  });
}

function authorize(request) {
  if (request.header("Authorization") !== `Bearer ${process.env.SCIM_TOKEN}`) throw new Error("Token not accepted");
  return "peer";
}

const app = express();
app.use("/scim", new SCIMMYRouters({ type: "bearer", handler: authorize }));
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
