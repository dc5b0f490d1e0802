import { createRoot } from 'react-dom/client';
import './workers.js';
import { Playground } from './playground.jsx';

createRoot(document.getElementById('playground')).render(<Playground />);
