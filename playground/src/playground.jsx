import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { fetcher } from './fetcher.js';
import { FilePicker } from './file-picker.jsx';
import { Gallery } from './gallery.jsx';
import { SessionBadge } from './session-badge.jsx';
import { tourTabs } from './tour.js';
import { learnSchema } from './uploads.js';

import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './playground.css';

const plugins = [HISTORY_PLUGIN, explorerPlugin()];
const tabs = tourTabs();
// The files are chosen below: in the variables stands null.
const scalars = { Upload: { enum: [null] } };

export function Playground() {
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={plugins}
      onSchemaChange={learnSchema}
      customScalarSchemas={scalars}
      // GraphiQL keeps the tabs in local storage and takes these on a first visit only.
      defaultTabs={tabs}
      defaultEditorToolsVisibility="variables"
      // Headers may hold a token: they are not written to local storage.
      shouldPersistHeaders={false}
    >
      <GraphiQL.Logo>Cloakroom</GraphiQL.Logo>
      <FilePicker />
      <GraphiQL.Footer>
        <Gallery />
        <SessionBadge />
      </GraphiQL.Footer>
    </GraphiQL>
  );
}
